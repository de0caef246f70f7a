/** Dynamic sampling: which groups are replaced, by which prompts, and what is left. */
import { describe, expect, test } from "vitest";
import type { Processor } from "../core/processor.ts";
import type { Example, Prompt, SamplingOptions } from "../core/records.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import type { Reward } from "../rewards/index.ts";
import type { CollectRequest } from "./collect.ts";
import { collectWith } from "./collect-rollouts.ts";
import type { TrainingContext } from "./context.ts";
import { sampleGroups, samplingOptions } from "./sampling.ts";

const examples = Array.from({ length: 12 }, (_, i): Example => {
  const id = `e${i}`;
  return { id, subjectId: id, question: id, images: [], answer: id, answerType: "open", choices: [], meta: {} };
});

const processor = {
  encode: async ([message]: readonly { readonly content: readonly { readonly text: string }[] }[]) => {
    return { text: message!.content[0]!.text, tokenIds: Int32Array.of(1), images: [] };
  },
} as unknown as Processor;

/** Examples whose number divides by three teach nothing. */
const idle = (id: string) => Number(id.slice(1)) % 3 === 0;
const reward = (name: string, isIdle: (id: string) => boolean): Reward => ({
  name,
  score: ({ id }, completions) => completions.map((_, i) => (isIdle(id) ? 1 : i)),
});

async function sampled(o: {
  readonly metric?: string;
  readonly max?: number;
  readonly count?: number;
  of?: Example[];
}) {
  const calls: { readonly prompts: readonly string[]; readonly seed: number }[] = [];
  const engine = {
    policy: {
      async *sample(prompts: readonly Prompt[], options: SamplingOptions) {
        calls.push({ prompts: prompts.map(({ text }) => text), seed: options.seed });
        for (const index of prompts.keys()) {
          const completion = { tokenIds: Int32Array.of(1), logProbs: Float32Array.of(-1), text: "", policyVersion: 0 };
          yield { index, completions: [0, 1].map(() => ({ ...completion, finishReason: "stop" as const })) };
        }
      },
    },
  } as unknown as TrainingEngine;
  const context = {
    engine,
    processor,
    examples: o.of ?? examples,
    prompt: { style: "plain", system: null, user: "{question}" },
    seed: 3,
    stage: 0,
    steps: 1,
    onBadImage: "error",
    onSkip: () => {},
  } as const;
  const settings = { num_generations: 2, max_completion_length: 1, temperature: 1, top_p: 1, top_k: 0 };
  const filter = o.max === undefined ? null : { metric: o.metric ?? "reward", max_resample: o.max };
  const plan = { sampling: samplingOptions(settings, 3, 1), count: o.count ?? 6, filter };
  const rewards = [
    { reward: reward("thirds", idle), weight: 1 },
    { reward: reward("never", () => true), weight: 1 },
  ];
  const result = await sampleGroups({ ...context, collect: collectWith(context, null) }, plan, rewards, {
    index: 0,
    step: 1,
  });
  return { ...result, calls, ids: result.groups.map(({ example }) => example.id) };
}

describe("sampleGroups", () => {
  test("without a filter every group stays", async () => {
    const { calls, filtered, ids } = await sampled({});
    expect([calls.length, filtered.length, ids.length]).toEqual([1, 0, 6]);
    expect(ids.some(idle)).toBe(true);
  });

  test("groups of equal rewards are replaced in their places, by prompts the step has not used", async () => {
    const before = await sampled({});
    const { calls, filtered, ids } = await sampled({ max: 9 });
    expect(ids.filter(idle)).toEqual([]);
    for (const [i, id] of before.ids.entries()) if (!idle(id)) expect(ids[i]).toBe(id);
    const all = calls.flatMap(({ prompts }) => prompts);
    expect(new Set(all).size).toBe(all.length);
    expect(filtered.length).toBe(all.length - 6);
    expect(filtered.every(({ example }) => idle(example.id))).toBe(true);
    // Each round draws with a key of its own.
    expect(new Set(calls.map(({ seed }) => seed)).size).toBe(calls.length);
  });

  test("the same step gives the same prompts, whatever ran before", async () => {
    expect((await sampled({ max: 9 })).calls).toEqual((await sampled({ max: 9 })).calls);
  });

  test("after the last round, or without fresh prompts, what teaches nothing stays", async () => {
    const once = await sampled({ max: 1, metric: "never" });
    expect([once.calls.length, once.ids.length, once.filtered.length]).toEqual([2, 6, 6]);
    const few = await sampled({ max: 5, metric: "never", of: examples.slice(0, 8) });
    expect([few.ids.length, few.filtered.length]).toEqual([6, 2]);
    const none = await sampled({ max: 5, metric: "never", of: examples.slice(0, 6) });
    expect([none.ids.length, none.filtered.length]).toEqual([6, 0]);
  });

  test("the metric may be one reward", async () => {
    expect((await sampled({ max: 9, metric: "thirds" })).ids).toEqual((await sampled({ max: 9 })).ids);
  });

  test("whatever the context collects with is where rollouts come from, replacements too", async () => {
    const asked: CollectRequest["sampling"][] = [];
    const context = {
      examples,
      seed: 3,
      stage: 0,
      collect: async (of: readonly Example[], { sampling }: CollectRequest) => {
        asked.push(sampling);
        const samples = of.map((example) => {
          const reward = idle(example.id) ? [0, 0] : [0, 1];
          const prompt = { text: "two turns", tokenIds: Int32Array.of(1), images: [] };
          return { example, prompt, completions: [], rewards: { turns: reward }, reward };
        });
        return { samples, seconds: { sample: 2, reward: 1 } };
      },
    } as unknown as TrainingContext; // no engine, no processor: nothing else may be asked
    const settings = { num_generations: 2, max_completion_length: 1, temperature: 1, top_p: 1, top_k: 0 };
    const plan = { sampling: samplingOptions(settings, 3, 1), count: 6, filter: { metric: "turns", max_resample: 1 } };
    const { groups, filtered, seconds } = await sampleGroups(context, plan, [], { index: 0, step: 1 });
    expect(groups.map(({ prompt }) => prompt.text)).toEqual(Array(6).fill("two turns"));
    expect(filtered.length).toBeGreaterThan(0);
    expect(asked.map(({ seed }) => seed === 3)).toEqual([true, false]);
    expect(seconds).toEqual({ sample: 4, reward: 2 });
  });
});
