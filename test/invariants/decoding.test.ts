/** Sampling against the full forward pass: one distribution, whatever the schedule. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { meanOf } from "../../src/core/mean.ts";
import { type Prompt, TOKEN_STATS } from "../../src/core/records.ts";
import { scoreCompletions } from "../../src/engine/local/forward-backward.ts";
import { languageFeeds } from "../../src/engine/local/language-feeds.ts";
import { runLanguage } from "../../src/engine/local/model-pass.ts";
import { layOut, packRows } from "../../src/engine/local/packing.ts";
import { logitsProgram } from "../../src/engine/local/programs.ts";
import type { DecodeOptions } from "../../src/engine/local/sampler.ts";
import { encodeImages } from "../../src/engine/local/vision-runner.ts";
import { openProcessor } from "../../src/models/index.ts";
import { cases } from "../parity/golden.ts";
import { asTrainingGroups, greedy, listDifference, type Opened, openGolden, sampleAll, textPrompt } from "./setup.ts";

const opened = new Map(cases.map((name) => [name, openGolden(name)]));
afterAll(async () => {
  for (const { compute } of opened.values()) await compute.close();
});

/** Logits [tokens, vocabulary] that predict each token of a completion, from one pass over prompt and completion. */
async function logitsOf(on: Opened, prompt: Prompt, tokenIds: Int32Array): Promise<Float32Array[]> {
  const { model, compute, values } = on;
  const { language, vision } = model;
  const rows = packRows([{ prompt, completions: [{ tokenIds, weight: 1, advantage: 0 }] }], 4096);
  const micro = layOut(rows, language, model.imageTokenId, vision.patchesPerToken);
  const encoded = await encodeImages(compute, values, prompt.images);
  const { states } = await runLanguage(compute, values, languageFeeds(compute, micro, encoded));
  const session = await compute.session("logits", () => logitsProgram(model));
  const { logits } = await session.run({ x: states.at(-1)!, ...values });
  const V = language.vocabularySize;
  return micro.predictions.map(({ source }) => (logits!.data as Float32Array).slice(source * V, (source + 1) * V));
}

/** Probabilities of the sampling distribution in plain float64, by definition. */
function distribution(logits: Float32Array, banned: readonly number[], o: DecodeOptions): Float64Array {
  const temperature = o.temperature === 0 ? 1 : o.temperature;
  const scaled = Array.from(logits, (logit, id) => (banned.includes(id) ? -Infinity : logit / temperature));
  const order = scaled.map((_, id) => id).sort((a, b) => scaled[b]! - scaled[a]!);
  let kept = o.topK > 0 ? order.slice(0, o.topK) : order;
  const total = (ids: readonly number[]) =>
    ids.reduce((sum, id) => sum + Math.exp(scaled[id]! - scaled[order[0]!]!), 0);
  const share = (id: number, all: number) => Math.exp(scaled[id]! - scaled[order[0]!]!) / all;
  const all = total(kept);
  let before = 0;
  kept = kept.filter((id) => {
    const keep = before < o.topP;
    before += share(id, all);
    return keep;
  });
  const probs = new Float64Array(logits.length);
  const rest = total(kept);
  for (const id of kept) probs[id] = share(id, rest);
  return probs;
}

const distributions: readonly (readonly [string, Partial<DecodeOptions>])[] = [
  ["greedy", { temperature: 0 }],
  ["temperature 1", { temperature: 1 }],
  ["temperature 0.7", { temperature: 0.7 }],
  ["temperature 1.3", { temperature: 1.3 }],
  ["top-p 0.6", { temperature: 1, topP: 0.6 }],
  ["top-k 5", { temperature: 1, topK: 5 }],
  ["top-k 20, top-p 0.8, temperature 0.7", { temperature: 0.7, topK: 20, topP: 0.8 }],
];

describe.each(cases)("%s", (name) => {
  const on = opened.get(name)!;
  const prompts = [on.golden.prompt, textPrompt(on, 9)];

  test.each(distributions)("%s: sampler = trainer = full forward", async (_, change) => {
    const counts = { numGenerations: change.temperature === 0 ? 1 : 3, maxCompletionLength: 6 };
    const o = { ...greedy, ...change, ...counts, tokenStats: TOKEN_STATS };
    const sampled = await sampleAll(on, prompts, o);
    const groups = asTrainingGroups(prompts, sampled);
    const scored = await scoreCompletions(on.compute, on.values, groups, o, { microBatchTokens: 4096 });
    const own = sampled.flatMap(({ completions }) => completions.map(({ logProbs }) => logProbs));
    expect(listDifference(scored.logProbs, own)).toBeLessThan(1e-4);
    const entropies = sampled.flatMap(({ completions }) => completions.map(({ stats }) => stats!.entropy!));
    expect(listDifference(scored.entropies, entropies)).toBeLessThan(1e-4);
    for (const name of TOKEN_STATS) {
      const drawn = sampled.flatMap(({ completions }) => completions.map(({ stats }) => stats![name]!));
      expect(listDifference(scored.stats![name]!, drawn), name).toBeLessThan(1e-5);
    }
    let index = 0;
    for (const { prompt, completions } of groups) {
      for (const { tokenIds } of completions) {
        expect(tokenIds.length).toBe(6);
        for (const [t, logits] of (await logitsOf(on, prompt, tokenIds)).entries()) {
          const probs = distribution(logits, on.model.visionTokenIds, o);
          const id = tokenIds[t]!;
          expect(Math.abs(Math.log(probs[id]!) - own[index]![t]!), `token ${t}`).toBeLessThan(1e-4);
          if (o.temperature === 0) expect(probs[id]).toBe(Math.max(...probs));
          const entropy = probs.reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0);
          expect(Math.abs(scored.entropies[index]![t]! - entropy)).toBeLessThan(1e-3);
          const z = Float64Array.from(logits, (logit) => logit / (o.temperature === 0 ? 1 : o.temperature));
          const certainty = Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0)) - meanOf(z);
          expect(Math.abs(scored.stats!.self_certainty![index]![t]! - certainty)).toBeLessThan(1e-4);
          expect(Math.abs(scored.stats!.logit![index]![t]! - logits[id]!)).toBeLessThan(1e-5);
        }
        index++;
      }
    }
  });
});

describe("the schedule", () => {
  const on = opened.get("grouped_tied")!;
  const prompts = [on.golden.prompt, textPrompt(on, 9), textPrompt(on), on.golden.prompt];
  const options = {
    ...greedy,
    numGenerations: 5,
    maxCompletionLength: 10,
    temperature: 1.2,
    // About one token in five is a stop token, so that rows are freed and refilled constantly.
    stopTokenIds: Array.from({ length: 80 }, (_, i) => 5 * i),
  };
  const tokens = (groups: Awaited<ReturnType<typeof sampleAll>>) =>
    groups.map(({ completions }) => completions.map(({ tokenIds }) => [...tokenIds]));
  const logProbs = (groups: Awaited<ReturnType<typeof sampleAll>>) =>
    groups.flatMap(({ completions }) => completions.map((completion) => completion.logProbs));

  test("rows of 1, 3 and 64 give the same completions", async () => {
    const [expected, ...others] = await Promise.all(
      [64, 1, 3].map((rows) => sampleAll(on, prompts, { ...options, rows })),
    );
    const lengths = new Set(expected!.flatMap(({ completions }) => completions.map(({ tokenIds }) => tokenIds.length)));
    expect(lengths.size).toBeGreaterThan(4);
    expect(lengths).toContain(1);
    expect(lengths).toContain(10);
    for (const found of others) {
      expect(tokens(found)).toEqual(tokens(expected!));
      expect(listDifference(logProbs(found), logProbs(expected!))).toBeLessThan(1e-4);
      expect(found.map(({ completions }) => completions.map(({ finishReason }) => finishReason))).toEqual(
        expected!.map(({ completions }) => completions.map(({ finishReason }) => finishReason)),
      );
    }
  });

  test("a completion ends with the first stop token, or at the limit", async () => {
    for (const { completions } of await sampleAll(on, prompts, options)) {
      expect(completions.length).toBe(5);
      for (const { tokenIds, finishReason, logProbs: own } of completions) {
        const stopped = tokenIds.findIndex((id) => options.stopTokenIds.includes(id));
        expect(finishReason).toBe(stopped >= 0 ? "stop" : "length");
        expect(tokenIds.length).toBe(stopped >= 0 ? stopped + 1 : 10);
        expect(own.length).toBe(tokenIds.length);
      }
    }
  });

  test.each([
    ["a number, to which the end of turn is added", { eos_token_id: 35 }, [35, 386]],
    ["a list", { eos_token_id: [35, 70, 386], pad_token_id: 105 }, [35, 70, 386]],
    ["missing, so the end of turn and the end of text", { pad_token_id: 105 }, [386, 384]],
  ])(
    "with generation_config.json's eos_token_id as %s, these tokens stop; a pad token does not",
    async (_, config, stops) => {
      const folder = mkdtempSync(join(tmpdir(), "viva-stops-"));
      cpSync(on.golden.checkpoint, folder, { recursive: true });
      writeFileSync(join(folder, "generation_config.json"), JSON.stringify(config));
      const { stopTokenIds } = await openProcessor(folder);
      rmSync(folder, { recursive: true });
      expect(stopTokenIds).toEqual(stops);
      // A temperature so high that all tokens are about equally likely.
      const o = { ...options, temperature: 40, numGenerations: 40, maxCompletionLength: 25, stopTokenIds };
      const sampled = (await sampleAll(on, prompts, o)).flatMap(({ completions }) => completions);
      const ends = new Map<number, number>();
      let pads = 0;
      for (const { tokenIds, finishReason } of sampled) {
        const stopped = tokenIds.findIndex((id) => stops.includes(id));
        expect([finishReason, tokenIds.length]).toEqual(stopped >= 0 ? ["stop", stopped + 1] : ["length", 25]);
        if (stopped >= 0) ends.set(tokenIds[stopped]!, 1 + (ends.get(tokenIds[stopped]!) ?? 0));
        pads += Number(tokenIds.subarray(0, -1).includes(105));
      }
      expect([...ends.keys()].sort()).toEqual([...stops].sort());
      expect(pads).toBeGreaterThan(0);
    },
  );

  test("greedy completions follow their prompts; samples at a batch position do not depend on other prompts", async () => {
    const o = { ...greedy, maxCompletionLength: 6 };
    const order = [2, 0, 3, 1];
    const straight = tokens(await sampleAll(on, prompts, o));
    const moved = await sampleAll(
      on,
      order.map((i) => prompts[i]!),
      o,
    );
    expect(tokens(moved)).toEqual(order.map((i) => straight[i]));
    const together = tokens(await sampleAll(on, prompts, options));
    const batch = await sampleAll(on, [prompts[1]!, prompts[1]!, prompts[2]!], options);
    expect(tokens(batch).slice(1)).toEqual(together.slice(1, 3));
    // The same prompt at two batch positions is sampled independently.
    expect(tokens(batch)[0]).not.toEqual(tokens(batch)[1]);
  });

  test("samples depend on seed and step, and on nothing else", async () => {
    const draw = async (change: Partial<DecodeOptions>) =>
      tokens(await sampleAll(on, prompts.slice(1, 2), { ...options, ...change }));
    const first = await draw({});
    expect(await draw({})).toEqual(first);
    expect(await draw({ seed: 2 })).not.toEqual(first);
    expect(await draw({ step: 1 })).not.toEqual(first);
    const fewer = await draw({ numGenerations: 2 });
    expect(fewer[0]).toEqual(first[0]!.slice(0, 2));
    const shorter = await draw({ maxCompletionLength: 4 });
    expect(shorter[0]).toEqual(first[0]!.map((ids) => ids.slice(0, 4)));
  });
});

describe("edges", () => {
  const on = opened.get("grouped_tied")!;

  test("a completion of one token", async () => {
    const prompts = [on.golden.prompt, textPrompt(on, 1)];
    const o = { ...greedy, numGenerations: 2, temperature: 1, maxCompletionLength: 1 };
    const sampled = await sampleAll(on, prompts, o);
    const scored = await scoreCompletions(on.compute, on.values, asTrainingGroups(prompts, sampled), o, {
      microBatchTokens: 4096,
    });
    const own = sampled.flatMap(({ completions }) => completions.map(({ logProbs }) => logProbs));
    expect(own.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    expect(listDifference(scored.logProbs, own)).toBeLessThan(1e-4);
  });

  test("no prompts: no completions", async () => {
    expect(await sampleAll(on, [], greedy)).toEqual([]);
  });

  test("image tokens are never sampled, though the model assigns them probability", async () => {
    const o = { ...greedy, numGenerations: 100, temperature: 5, maxCompletionLength: 20, rows: 50 };
    const prompts = [textPrompt(on, 9)];
    const [group] = await sampleAll(on, prompts, o);
    const drawn = group!.completions.flatMap(({ tokenIds }) => [...tokenIds]);
    expect(drawn.length).toBe(2000);
    expect(drawn.filter((id) => on.model.visionTokenIds.includes(id))).toEqual([]);
    expect(new Set(drawn).size).toBeGreaterThan(300);
    const [first] = await logitsOf(on, prompts[0]!, group!.completions[0]!.tokenIds);
    const plain = distribution(first!, [], o);
    const given = on.model.visionTokenIds.reduce((sum, id) => sum + plain[id]!, 0);
    // The expected number in 2,000 samples.
    expect(2000 * given).toBeGreaterThan(10);
  });

  test("scored as supervised targets, image tokens have their plain softmax probability", async () => {
    const id = on.model.imageTokenId;
    const groups = [
      { prompt: textPrompt(on, 9), completions: [{ tokenIds: Int32Array.of(id), weight: 1, advantage: 0 }] },
    ];
    const score = async (allowVisionTokens: boolean) => {
      const scoring = { temperature: 1, topP: 1, topK: 0, allowVisionTokens };
      return (await scoreCompletions(on.compute, on.values, groups, scoring, { microBatchTokens: 64 }))
        .logProbs[0]![0]!;
    };
    const [logits] = await logitsOf(on, groups[0]!.prompt, groups[0]!.completions[0]!.tokenIds);
    expect(await score(true)).toBeCloseTo(Math.log(distribution(logits!, [], { ...greedy, temperature: 1 })[id]!), 4);
    expect(await score(false)).toBeLessThan(-1e8);
  });
});
