/** Completions with tools on the model that ships: what is sampled, what is trained on, and that both are the same. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeQuestion, promptStyle } from "../../src/answers/prompts.ts";
import type { Completion, Prompt, RolloutResult, SamplingOptions } from "../../src/core/records.ts";
import { policyMask } from "../../src/core/segments.ts";
import { loadDataset } from "../../src/data/index.ts";
import type { Policy, TokenBatch, TrainingEngine } from "../../src/engine/engine.ts";
import { openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openProcessor } from "../../src/models/index.ts";
import { environmentSchema, openEnvironment } from "../../src/tools/index.ts";
import { recordedPolicy } from "../../src/tools/replay.ts";
import { type AskedExample, type OpenedTools, sampleTrajectories } from "../../src/tools/trajectories.ts";
import { turnRecords } from "../../src/tools/turn-records.ts";
import { rolloutSettings } from "../../src/train/settings.ts";
import { updatePolicy } from "../../src/train/updates.ts";
import { root } from "../cli/command-line.ts";

const folder = `${root}/assets/viva-tiny-instruct`;
const processor = await openProcessor(folder);
const prompt = promptStyle("think_answer");
const sampling: SamplingOptions = {
  ...{ numGenerations: 3, maxCompletionLength: 400, temperature: 1, topP: 1, topK: 0, seed: 5, step: 2 },
  tokenStats: ["entropy"],
};
let engine: TrainingEngine;
let asked: readonly AskedExample[];
let tools: OpenedTools;

beforeAll(async () => {
  engine = await openLocalEngine(
    {
      ...{ modelFolder: folder, initialise: "pretrained", seed: 1, freeze: [], lora: null },
      ...{ threads: 1, microBatchTokens: 4096, rows: 16 },
    },
    processor,
  );
  const own = { small_nodules: true, high_resolution: true };
  const examples = await loadDataset({ name: "phantom_world", split: "train", limit: 3, seed: 1, own });
  asked = await Promise.all(
    examples.map(async (example) => ({ example, prompt: await encodeQuestion(processor, example, prompt) })),
  );
  tools = {
    environment: await openEnvironment(environmentSchema.parse("viewer_tools")),
    turnLength: 64,
    prompt,
    required: [],
  };
});
afterAll(() => engine.close());

const cropAt = (box: readonly number[]) =>
  `<tool_call>{"name": "crop", "arguments": {"box": [${box.join(", ")}]}}</tool_call>`;

/** The model's own policy, but for turns that are given: their tokens are these, scored by the model. */
function calling(given: (index: number, completion: number, turn: number) => string | null): Pick<Policy, "sample"> {
  return {
    async *sample(prompts: readonly Prompt[], o: SamplingOptions): AsyncGenerator<RolloutResult> {
      for await (const { index, completions } of engine.policy.sample(prompts, o)) {
        const [example, first, turn] = o.each?.[index]?.draws ?? [index, 0, 0];
        const replaced = completions.map(async (own, i): Promise<Completion> => {
          const text = given(example!, first! + i, turn!);
          if (text === null) return own;
          const tokenIds = processor.encodeCompletion(text).slice(0, -1);
          const group = { prompt: prompts[index]!, completions: [{ tokenIds, weight: 0, advantage: 0 }] };
          const { logProbs, entropies } = await engine.policy.logProbs([group], o);
          return {
            ...own,
            tokenIds,
            logProbs: logProbs[0]!,
            stats: { entropy: entropies[0]! },
            text,
            finishReason: "stop",
          };
        });
        yield { index, completions: await Promise.all(replaced) };
      }
    },
  };
}

/** The first completion crops once, the second twice, once in vain; the third never calls. */
const some = calling((_, completion, turn) => {
  if (completion === 0 && turn === 0) return cropAt([20, 30, 60, 70]);
  if (completion === 1 && turn < 2) return turn === 0 ? cropAt([60, 60, 20, 20]) : cropAt([0, 0, 30, 40]);
  return null;
});
const run = (policy: Pick<Policy, "sample"> = some, o: Partial<SamplingOptions> = {}, own: Partial<OpenedTools> = {}) =>
  sampleTrajectories(policy, asked, { ...sampling, ...o }, { ...tools, ...own, processor });
const plain = async (o: Partial<SamplingOptions> = {}) => {
  const found: (readonly Completion[])[] = [];
  const prompts = asked.map((item) => item.prompt);
  for await (const { index, completions } of engine.policy.sample(prompts, { ...sampling, ...o }))
    found[index] = completions;
  return found;
};
const outline = (groups: readonly (readonly Completion[])[]) =>
  groups.map((completions) => completions.map(({ tokenIds, segments }) => ({ tokenIds: [...tokenIds], segments })));

describe("trajectories", () => {
  it("hold turns and observations in order, tokens as they were sampled, images where they are seen", async () => {
    const [completions] = await run();
    const [once, twice, never] = completions as [Completion, Completion, Completion];
    expect(once.segments!.map(({ by }) => by)).toEqual(["policy", "observation", "policy"]);
    expect(twice.segments!.map(({ by }) => by)).toEqual(["policy", "observation", "policy", "observation", "policy"]);
    expect(never.segments!.map(({ by }) => by)).toEqual(["policy"]);
    expect([once, twice, never].map(({ images }) => images!.length)).toEqual([1, 1, 0]);
    expect([once, twice, never].map(({ turns }) => turns!.length)).toEqual([2, 3, 1]);
    expect(twice.turns!.map(({ observation }) => observation?.isError ?? null)).toEqual([true, false, null]);
    const call = processor.encodeCompletion(cropAt([20, 30, 60, 70])).slice(0, -1);
    expect([...once.tokenIds.subarray(0, call.length)]).toEqual([...call]);
    const placeholders = once.tokenIds.filter((id) => id === processor.imageTokenId).length;
    expect(placeholders).toBe((once.images![0]!.grid[1] * once.images![0]!.grid[2]) / 4);
    for (const { tokenIds, logProbs, segments, stats, text, turns } of [once, twice, never]) {
      const mask = policyMask(segments!);
      expect(mask.length).toBe(tokenIds.length);
      expect(logProbs.every((value, t) => (mask[t] === 1 ? value <= 0 : value === 0))).toBe(true);
      expect(stats!.entropy!.every((value, t) => mask[t] === 1 || value === 0)).toBe(true);
      expect(text).toBe(turns!.at(-1)!.text);
    }
  });

  it("have the sampler's log-probs when the trainer scores them, to 1e-4", async () => {
    const groups = await run();
    const scored = await engine.policy.logProbs(
      asked.map((item, i) => ({
        prompt: item.prompt,
        completions: groups[i]!.map(({ tokenIds, segments, images }) => {
          return { tokenIds, mask: policyMask(segments!), images: images!, weight: 1, advantage: 0 };
        }),
      })),
      sampling,
    );
    for (const [i, { logProbs }] of groups.flat().entries()) {
      const apart = logProbs.map((value, t) => Math.abs(value - scored.logProbs[i]![t]!));
      expect(Math.max(...apart)).toBeLessThan(1e-4);
    }
  });

  it("without tools are plain completions, bit for bit; so are those that never call", async () => {
    const expected = await plain();
    const environment = { ...tools.environment, tools: [] };
    expect(await run(engine.policy, {}, { environment })).toEqual(expected);
    const quiet = await run(engine.policy, {}, { turnLength: 400 });
    const kept = quiet.map((group) => group.map(({ segments: _, images: __, turns: ___, ...own }) => own));
    expect(kept).toEqual(expected);
  });

  it("do not depend on how many are decoded at once, nor on what others do", async () => {
    const expected = outline(await run());
    expect(outline(await run(some, { rows: 1 }))).toEqual(expected);
    const fewer = calling((index, completion, turn) => {
      return index === 2 || completion !== 0 || turn !== 0 ? null : cropAt([20, 30, 60, 70]);
    });
    const others = outline(await run(fewer));
    expect(others[0]![0]).toEqual(expected[0]![0]);
    expect(others[1]![2]).toEqual(expected[1]![2]);
  });

  it("come again from what was recorded of them", async () => {
    const groups = await run();
    const again = await run(recordedPolicy(groups));
    expect(outline(again)).toEqual(outline(groups));
    const records = (all: typeof groups) => all.flat().map(({ turns, images }) => turnRecords(turns!, images!));
    expect(records(again)).toEqual(records(groups));
  });

  it("take an observation back where no token would fit behind it, and end", async () => {
    const length = processor.encodeCompletion(cropAt([20, 30, 60, 70])).length - 1;
    const [completions] = await run(some, { maxCompletionLength: length + 10 });
    const [once] = completions as [Completion];
    expect(once.tokenIds.length).toBe(length);
    expect(once.segments).toEqual([{ by: "policy", tokens: length }]);
    expect(once.finishReason).toBe("length");
    expect(once.turns!.map(({ call, observation }) => [call?.name, observation])).toEqual([["crop", null]]);
  });

  it("end after the last turn that is allowed, its call unanswered", async () => {
    const always = calling(() => cropAt([20, 30, 60, 70]));
    const [[first]] = (await run(always, { maxCompletionLength: 1000 })) as [readonly [Completion]];
    expect(first.turns!.map(({ observation }) => observation !== null)).toEqual([true, true, true, false]);
  });
});

describe("training", () => {
  it("weighs the policy's tokens alone, whatever was observed", async () => {
    const batches: TokenBatch[] = [];
    const noting = {
      ...engine,
      forwardBackward: async (batch: TokenBatch) => {
        batches.push(batch);
        const logProbs = batch.groups.flatMap(({ completions }) => completions.map((own) => own.oldLogProbs!));
        return { loss: 0, logProbs, entropies: [] };
      },
      optimStep: async () => ({ gradNorm: 0 }),
    };
    const context = { engine: noting, steps: 1 } as unknown as Parameters<typeof updatePolicy>[0];
    const settings = rolloutSettings("grpo", { num_generations: 3, max_completion_length: 400 });
    const step = async (groups: readonly (readonly Completion[])[]) => {
      const made = groups.map((completions, i) => ({
        ...{ id: `1/${i}`, ...asked[i]!, completions, rewards: {}, reward: [1, 0, 0], advantages: [1, -1, 0.5] },
      }));
      await updatePolicy(context, settings, made, sampling, { index: 0, step: 1 });
      return batches
        .pop()!
        .groups.flatMap(({ completions }) => completions.map(({ weight, mask }) => ({ weight, mask })));
    };
    const groups = await run();
    const weights = await step(groups);
    const blank = groups.map((completions) =>
      completions.map((own) => {
        const mask = policyMask(own.segments!);
        return { ...own, tokenIds: own.tokenIds.map((id, t) => (mask[t] === 1 ? id : 7)), images: [] };
      }),
    );
    expect(await step(blank)).toEqual(weights);
    for (const [i, { weight, mask }] of weights.entries()) {
      expect(mask).toEqual(policyMask(groups.flat()[i]!.segments!));
      const counted = (weight as Float32Array).filter((value) => value !== 0);
      expect(counted.length).toBe(mask!.filter((value) => value === 1).length);
      expect(counted[0]! * counted.length).toBeCloseTo(1 / 9, 6); // grpo: 1 / (completions x own tokens)
    }
  });
});
