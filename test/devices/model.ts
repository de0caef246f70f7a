/**
 * Computes golden models on the CPU and on a device, and prints, as JSON by model, their differences: log-probs,
 * entropies, loss, gradients, and completions decoded greedily and sampled at temperature 1. Arguments: the device,
 * then the models.
 */
import type { Device } from "../../src/core/device.ts";
import { scoreCompletions } from "../../src/engine/local/forward-backward.ts";
import {
  batchOf,
  differentiate,
  gradientDifference,
  greedy,
  listDifference,
  madeCompletions,
  type Opened,
  openGolden,
  sampleAll,
  sampledScoring,
  textPrompt,
} from "../invariants/setup.ts";
import type { CaseName } from "../parity/golden.ts";

export interface Apart {
  /** Largest absolute differences. */
  readonly logProbs: number;
  readonly entropies: number;
  readonly loss: number;
  /**
   * Largest difference of a weight's gradient, relative to that gradient's largest element; the maximum over all
   * weights.
   */
  readonly gradients: number;
  /** Tokens of the CPU's completions, and how many differ on the device. */
  readonly tokens: number;
  readonly otherTokens: number;
  /** Of the sampler's log-probs. */
  readonly sampledLogProbs: number;
  /** Seconds of everything above. */
  readonly seconds: { readonly cpu: number; readonly device: number };
}

const device = process.argv[2] as Device;
const names = process.argv.slice(3) as CaseName[];
const result: Record<string, Apart> = {};
for (const name of names) result[name] = await compare(openGolden(name), openGolden(name, device));
console.log(JSON.stringify(result));

async function compare(cpu: Opened, other: Opened): Promise<Apart> {
  const [expected, found] = [await compute(cpu), await compute(other)];
  await cpu.compute.close();
  await other.compute.close();
  const draws = expected.drawn.map(({ tokenIds }, i) => {
    return tokenIds.filter((token, at) => found.drawn[i]!.tokenIds[at] !== token).length;
  });
  return {
    logProbs: listDifference(found.scores.logProbs, expected.scores.logProbs),
    entropies: listDifference(found.scores.entropies, expected.scores.entropies),
    loss: Math.abs(found.batch.loss - expected.batch.loss),
    gradients: gradientDifference(found.batch.gradients, expected.batch.gradients).difference,
    tokens: expected.drawn.reduce((total, { tokenIds }) => total + tokenIds.length, 0),
    otherTokens: draws.reduce((total, count) => total + count, 0),
    sampledLogProbs: listDifference(
      found.drawn.map(({ logProbs }) => logProbs),
      expected.drawn.map(({ logProbs }) => logProbs),
    ),
    seconds: { cpu: expected.seconds, device: found.seconds },
  };
}

async function compute(on: Opened) {
  const started = performance.now();
  const { golden, model, values } = on;
  const prompts = [golden.prompt, textPrompt(on, 40)];
  const groups = prompts.map((prompt, i) => {
    return { prompt, completions: madeCompletions([5, 3], `device ${i}`, model.language.vocabularySize) };
  });
  const scores = await scoreCompletions(on.compute, values, groups, sampledScoring, { microBatchTokens: 4096 });
  const batch = await differentiate(on, [batchOf(groups)]);
  const sampled = { ...greedy, numGenerations: 2, temperature: 1, topP: 0.9, topK: 50 };
  const drawn = [...(await sampleAll(on, prompts, greedy)), ...(await sampleAll(on, prompts, sampled))];
  const seconds = (performance.now() - started) / 1000;
  return { scores, batch, drawn: drawn.flatMap(({ completions }) => completions), seconds };
}
