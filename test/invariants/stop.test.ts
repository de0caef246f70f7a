/** Thoughts that end early, on a real model: whole above 1, one sentence at 0, and what the trace of whole thoughts says. */
import { afterAll, expect, test } from "vitest";
import { encodeQuestion, promptStyle } from "../../src/answers/prompts.ts";
import { stoppedPolicy } from "../../src/control/stopped-policy.ts";
import { stoppedBy, traceThoughts } from "../../src/control/traces.ts";
import type { StopOptions } from "../../src/control/trial.ts";
import type { Completion, SamplingOptions } from "../../src/core/records.ts";
import { loadDataset } from "../../src/data/index.ts";
import type { Policy } from "../../src/engine/engine.ts";
import { openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openProcessor } from "../../src/models/index.ts";
import { root } from "../cli/command-line.ts";

const folder = `${root}/assets/viva-tiny-instruct`;
const processor = await openProcessor(folder);
const engine = await openLocalEngine(
  {
    ...{ modelFolder: folder, initialise: "pretrained", seed: 1, freeze: [], threads: 1 },
    ...{ microBatchTokens: 4096, rows: 16 },
  },
  processor,
);
afterAll(() => engine.close());
const own = { image_size: 112, difficulty: 0.2 };
const examples = await loadDataset({ name: "phantom_world", split: "test", seed: 3, limit: 12, own });
const prompts = await Promise.all(examples.map((one) => encodeQuestion(processor, one, promptStyle("think_answer"))));
const sampling: SamplingOptions = {
  ...{ numGenerations: 1, maxCompletionLength: 80, temperature: 0, topP: 1, topK: 0, seed: 5, step: 2 },
};
const rule: StopOptions = { stop: "confidence", threshold: 0.95, minSentences: 1, score: "avg2" };

async function all(policy: Pick<Policy, "sample">, o: SamplingOptions): Promise<readonly (readonly Completion[])[]> {
  const found: (readonly Completion[])[] = [];
  for await (const { index, completions } of policy.sample(prompts, o)) found[index] = completions;
  return found;
}
const stopped = (o: Partial<StopOptions>, s = sampling) => all(stoppedPolicy(engine, processor, { ...rule, ...o }), s);

test("above 1 a thought is whole, also a sampled one", async () => {
  for (const o of [sampling, { ...sampling, numGenerations: 3, temperature: 1 }]) {
    const plain = await all(engine.policy, o);
    const whole = await stopped({ threshold: 1.01 }, o);
    expect(whole.map((group) => group.map(({ text }) => text))).toEqual(
      plain.map((group) => group.map(({ text }) => text)),
    );
    expect(whole.flat().map(({ finishReason }) => finishReason)).toEqual(
      plain.flat().map(({ finishReason }) => finishReason),
    );
    expect(whole.flat().some(({ thought }) => thought!.trials > 0)).toBe(true);
  }
});

test("at 0 it is one sentence with an answer", async () => {
  const found = (await stopped({ threshold: 0 })).flat();
  // A thought of one sentence of its own has no trial.
  expect(found.every(({ thought }) => thought!.sentences === (thought!.trials === 0 ? null : 1))).toBe(true);
  expect(found.some(({ thought }) => thought!.sentences === 1)).toBe(true);
  for (const { text } of found) expect(text).toMatch(/^<think>[^.]+\.<\/think><answer>.*<\/answer>$/);
});

test("every rule gives what the trace of whole thoughts says", async () => {
  const traces = await traceThoughts(engine.policy, processor, prompts, sampling);
  const sure = traces.flatMap(({ trials }) => trials.map(({ confidence }) => confidence.avg2));
  const middle = sure.toSorted((a, b) => a - b)[Math.floor(sure.length / 2)]! - 1e-4;
  for (const o of [{ threshold: middle }, { threshold: 0.9 }, { threshold: 0.5, stop: "options" as const }]) {
    const found = (await stopped(o)).flat();
    for (const [i, { text, tokenIds, thought }] of found.entries()) {
      const wanted = stoppedBy(traces[i]!, { ...rule, ...o });
      expect(text).toBe(wanted.text);
      expect(tokenIds.length).toBe(wanted.tokens);
      expect(thought).toMatchObject({ sentences: wanted.sentences, trialTokens: wanted.trialTokens });
    }
  }
  const ended = (await stopped({ threshold: middle })).flat().filter(({ thought }) => thought!.sentences !== null);
  const tried = traces.filter(({ trials }) => trials.length > 0);
  expect(ended.length).toBeGreaterThan(0);
  expect(ended.length).toBeLessThan(tried.length);
});
