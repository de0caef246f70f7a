/** Reward models that viva trained, opened by transformers and PEFT; the loss of TRL's RewardTrainer. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pairLoss, pairwiseAlgorithms } from "../../src/algorithms/pairwise/index.ts";
import type { Prompt } from "../../src/core/records.ts";
import type { ScoredCompletions } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { temporaryFolder } from "../cli/command-line.ts";
import { goldenCase } from "../parity/golden.ts";
import { describeWithPython } from "./python.ts";
import { trainers } from "./trainers.ts";

const folder = temporaryFolder();
const golden = goldenCase("grouped_tied");
const text = golden.prompt.tokenIds.filter((id) => id < 380);
const tokens = (...ids: number[]) => Int32Array.from(ids);
const groups: readonly ScoredCompletions[] = [
  { prompt: golden.prompt, completions: [tokens(4, 9, 77, 12, 386), tokens(8, 386)] },
  {
    prompt: { text: "", tokenIds: text.slice(0, 9), images: [] },
    completions: [tokens(101, 3, 15, 200, 31, 90, 7, 386), tokens(55, 386)],
  },
];
const losses = [
  { margin: 0, center: 0 },
  { margin: 0.7, center: 0.01 },
].map((o) => ({ chosen: [1.2, 0.3, -0.4], rejected: [0.4, 0.9, -2], ...o }));

/** Trains a few steps, saves, and says what the model then scores. */
async function train(name: string, lora: boolean): Promise<readonly number[]> {
  const core = new LocalCore({
    modelFolder: golden.checkpoint,
    initialise: "pretrained",
    seed: 3,
    freeze: [],
    threads: 1,
    microBatchTokens: 4096,
    rows: 8,
    scoreHead: true,
    lora: lora ? { r: 4, lora_alpha: 8, target_modules: "all-linear" } : null,
  });
  const update = { learningRate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
  try {
    for (let step = 0; step < 4; step++) {
      await core.backwardScores(groups, [-1, 1, -0.5, 0.5]);
      await core.optimStep(update);
    }
    mkdirSync(join(folder, name));
    core.save(join(folder, name), false);
    return await core.scores(groups);
  } finally {
    await core.close();
  }
}

function row({ tokenIds, images: [image] }: Prompt, completion: Int32Array) {
  return {
    prompt_ids: [...tokenIds],
    completion_ids: [...completion],
    patches: image === undefined ? null : [...image.patches],
    grid: image?.grid ?? null,
  };
}

function expectClose(found: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(found.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(tolerance);
}

await describeWithPython("a reward model elsewhere", trainers, ({ python }) => {
  it("has the scores of transformers and PEFT, and the loss of TRL", { timeout: 10 * 60_000 }, async () => {
    const own = { full: await train("full", false), adapter: await train("adapter", true) };
    const rows = groups.flatMap(({ prompt, completions }) => completions.map((completion) => row(prompt, completion)));
    const place = (name: string) => join(folder, name);
    const folders = { base: golden.checkpoint, full: place("full"), adapter: place("adapter") };
    writeFileSync(place("case.json"), JSON.stringify({ ...folders, rows, losses }));
    const script = join(import.meta.dirname, "reward_model.py");
    execFileSync(python, [script, place("case.json"), place("answer.json")], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const theirs = JSON.parse(readFileSync(place("answer.json"), "utf8"));
    expect(own.full[0]! - own.full[1]!).toBeGreaterThan(0.5);
    expect(own.adapter[0]! - own.adapter[1]!).toBeGreaterThan(0.1);
    expectClose(theirs.full, own.full, 1e-4);
    expectClose(theirs.adapter, own.adapter, 1e-4);
    expectClose(theirs.batched, own.full.slice(2), 1e-4);
    const differences = (["full", "adapter"] as const).map((name) =>
      Math.max(...own[name].map((score, i) => Math.abs(score - theirs[name][i]))),
    );
    console.log(`largest difference of a score: full ${differences[0]}, adapter ${differences[1]}`);
    for (const [i, { chosen, rejected, margin, center }] of losses.entries()) {
      const weights = chosen.map(() => 1 / chosen.length);
      const found = pairLoss(pairwiseAlgorithms.reward_model, { chosen, rejected }, weights, { margin, center });
      const { loss, ...gradients } = theirs.losses[i];
      // Options are constants of a graph, in float32.
      expectClose([found.loss], [loss], 1e-7);
      expectClose(found.gradients.chosen!, gradients.chosen, 1e-7);
      expectClose(found.gradients.rejected!, gradients.rejected, 1e-7);
      expect(gradients.accuracy).toBeCloseTo(2 / 3, 6);
    }
  });
});
