/** Scores of a reward model: independent of what lies beside a completion, exact in micro-batches, and differentiated right. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainVariant } from "../../src/algorithms/algorithm.ts";
import { defaultLossNumbers } from "../../src/algorithms/index.ts";
import { plainScoring, type ScoredCompletions } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { goldenCase } from "../parity/golden.ts";

const golden = goldenCase("grouped_tied");
const text = golden.prompt.tokenIds.filter((id) => id < 380);
const short = { text: "", tokenIds: text.slice(0, 5), images: [] };
const tokens = (...ids: number[]) => Int32Array.from(ids);
const groups: readonly ScoredCompletions[] = [
  { prompt: golden.prompt, completions: [tokens(4, 9, 77, 12), tokens(8), tokens(101, 3)] },
  { prompt: short, completions: [tokens(8, 15, 200, 31, 90, 7, 7), tokens(55, 4)] },
];

function open(o: { readonly microBatchTokens?: number; readonly lora?: boolean } = {}): LocalCore {
  return new LocalCore({
    modelFolder: golden.checkpoint,
    initialise: "pretrained",
    seed: 1,
    freeze: [],
    threads: 1,
    microBatchTokens: o.microBatchTokens ?? 4096,
    rows: 8,
    scoreHead: true,
    lora: o.lora ? { r: 4, lora_alpha: 8, target_modules: "all-linear" } : null,
  });
}

const update = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 0,
};
const slopes = [0.3, -1, 0.5, 0.25, -0.8];

describe.each([false, true])("lora %s", (lora) => {
  let core: LocalCore;
  beforeAll(() => {
    core = open({ lora });
  });
  afterAll(() => core.close());

  it("gives a completion the same score alone, packed, and beside longer ones", async () => {
    const together = await core.scores(groups);
    const alone: number[] = [];
    for (const { prompt, completions } of groups) {
      for (const completion of completions)
        alone.push((await core.scores([{ prompt, completions: [completion] }]))[0]!);
    }
    expect(together.length).toBe(5);
    for (const [i, score] of together.entries()) expect(Math.abs(score - alone[i]!)).toBeLessThan(1e-5);
    expect(new Set(together.map((score) => score.toFixed(6))).size).toBe(5);
  });

  it("reads the last token, and the prompt with its image", async () => {
    const scoreOf = async (group: ScoredCompletions) => (await core.scores([group]))[0]!;
    const { prompt } = groups[0]!;
    const own = await scoreOf({ prompt, completions: [tokens(4, 9, 77)] });
    expect(await scoreOf({ prompt, completions: [tokens(4, 9, 78)] })).not.toBeCloseTo(own, 4);
    expect(await scoreOf({ prompt: short, completions: [tokens(4, 9, 77)] })).not.toBeCloseTo(own, 4);
    const [image] = prompt.images;
    const other = { ...image!, sha256: "other", patches: image!.patches.map((value) => 0.5 * value) };
    expect(await scoreOf({ prompt: { ...prompt, images: [other] }, completions: [tokens(4, 9, 77)] })).not.toBeCloseTo(
      own,
      6,
    );
  });

  it("its gradients are the slopes of the scores, whatever the micro-batch", async () => {
    const loss = async () => (await core.scores(groups)).reduce((sum, score, i) => sum + slopes[i]! * score, 0);
    await core.backwardScores(groups, slopes);
    const names = [...core.store.trainable].filter((name) => core.store.gradient(name) !== null);
    expect(names).toContain("score.weight");
    const weight = lora
      ? names.find((name) => name.endsWith("q_proj.lora_B.weight"))!
      : names.find((n) => n.endsWith("norm.weight"))!;
    for (const name of ["score.weight", weight]) {
      const gradient = core.store.gradient(name)!;
      const values = core.store.values[name]!.data as Float32Array;
      const at = gradient.reduce((best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best), 0);
      const before = values[at]!;
      const step = 1e-2;
      values[at] = before + step;
      const up = await loss();
      values[at] = before - step;
      const down = await loss();
      values[at] = before;
      expect((up - down) / (2 * step) / gradient[at]!).toBeCloseTo(1, 1);
    }
    const split = open({ lora, microBatchTokens: 12 });
    try {
      await split.backwardScores(groups, slopes);
      for (const name of names) {
        const [one, many] = [core.store.gradient(name)!, split.store.gradient(name)!];
        const largest = Math.max(...one.map(Math.abs));
        for (const [i, value] of one.entries()) expect(Math.abs(value - many[i]!)).toBeLessThan(1e-4 * largest + 1e-7);
      }
    } finally {
      await split.close();
    }
    await core.optimStep(update);
  });
});

it("a stage of tokens leaves the score head as it is, and one of scores the head of tokens", async () => {
  const core = open();
  try {
    const copy = (name: string) => (core.store.values[name]!.data as Float32Array).slice();
    const before = copy("score.weight");
    const completion = { tokenIds: tokens(4, 9, 77), weight: 1, advantage: 1 };
    const loss = { name: "reinforce", variant: plainVariant, numbers: defaultLossNumbers } as const;
    await core.forwardBackward({ groups: [{ prompt: short, completions: [completion] }], scoring: plainScoring, loss });
    await core.optimStep(update);
    expect(copy("score.weight")).toEqual(before);
    await core.backwardScores(groups, slopes);
    await core.optimStep(update);
    expect(copy("score.weight")).not.toEqual(before);
  } finally {
    await core.close();
  }
});
