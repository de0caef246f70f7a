/**
 * What a step of each kind that learns from pairs costs beside DPO's: the same pairs of reasoned answers on generated images, the
 * kinds in turn, so that whatever else the machine does falls on all of them.
 *
 * npx tsx bench/pairwise.ts [ROUNDS] [PAIRS]
 */
import { join } from "node:path";
import { type PairwiseName, pairwiseAlgorithms } from "../src/algorithms/index.ts";
import { promptStyle, targetText } from "../src/answers/prompts.ts";
import { shippedModel } from "../src/core/named-paths.ts";
import { loadDataset } from "../src/data/index.ts";
import { openLocalEngine } from "../src/engine/local/local-engine.ts";
import { openProcessor } from "../src/models/index.ts";
import { collectWith } from "../src/train/collect-rollouts.ts";
import type { TrainingContext } from "../src/train/context.ts";
import { pairStep } from "../src/train/pair-step.ts";
import { pairSettings } from "../src/train/settings.ts";

const [rounds = 7, count = 8] = process.argv.slice(2).map(Number);
const model = shippedModel("viva-tiny-instruct")!;
const processor = await openProcessor(model);
const prompt = promptStyle("think_answer");
const own = { image_size: 112, difficulty: 0.2 };
const examples = await loadDataset({ name: "phantom_world", split: "train", limit: count, seed: 1, own });
const text = (i: number) => targetText(examples[i % count]!, prompt.style, "rationale_answer");
const pairs = examples.map((example, i) => ({ example, chosen: text(i), rejected: text(i + 1) }));
const engine = await openLocalEngine(
  {
    ...{ modelFolder: model, initialise: "pretrained", seed: 1, freeze: [], scoreHead: true },
    ...{ threads: 1, microBatchTokens: 4096, rows: 8 },
  },
  processor,
);
await engine.freezeReference(true);
const shared = { engine, processor, examples, prompt, seed: 1, stage: 0, steps: 1000, onBadImage: "error" } as const;
const context: TrainingContext = {
  ...shared,
  onSkip: () => {},
  collect: collectWith({ ...shared, onSkip: () => {} }, null),
};
const kinds = Object.keys(pairwiseAlgorithms) as PairwiseName[];
const seconds = new Map<PairwiseName, number[]>(kinds.map((kind) => [kind, []]));

for (let round = 0; round <= rounds; round++) {
  for (const kind of kinds) {
    const settings = pairSettings(kind, { batch_size: count, learning_rate: 0, warmup_steps: 0 });
    const started = performance.now();
    await pairStep(context, settings, { pairs }, { index: round, step: round + 1 });
    // The first round compiles the programs.
    if (round > 0) seconds.get(kind)!.push((performance.now() - started) / 1000);
  }
}
await engine.close();

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const plain = seconds.get("dpo")!;
console.log(`${join("viva-tiny-instruct", "phantom_world")}: ${count} pairs, ${rounds} rounds, medians`);
for (const [kind, own] of seconds) {
  const ratio = median(own.map((value, i) => value / plain[i]!));
  console.log(`${kind.padEnd(16)} ${median(own).toFixed(2)} s   ${ratio.toFixed(2)} times dpo's`);
}
