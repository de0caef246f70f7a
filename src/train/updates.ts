/** The optimiser steps on one rollout: `num_iterations` passes over its mini-batches (`steps_per_generation`). */
import type { RatioBounds } from "../algorithms/algorithm.ts";
import { defaultLossNumbers, policyLosses } from "../algorithms/index.ts";
import { tokenWeights } from "../algorithms/token-weights.ts";
import { meanOf } from "../core/mean.ts";
import type { RolloutGroup, SamplingOptions } from "../core/records.ts";
import { policyLength, policyMask, policyValues } from "../core/segments.ts";
import type { ForwardBackwardResult, TokenBatch, TokenScores, TrainingGroup } from "../engine/engine.ts";
import { deviceMetrics, type OptimResult } from "../engine/optim-step.ts";
import type { Metrics } from "../runs/metrics.ts";
import { nonFinite, type StepPosition, type TrainingContext } from "./context.ts";
import { countTokens, meanEntropy, type PolicySums, policyMetrics, sumPolicy } from "./policy-metrics.ts";
import { optimiserAt, type RolloutSettings, updatesPerStep } from "./settings.ts";
import { withoutZeroGradients } from "./zero-gradients.ts";

/**
 * All optimiser steps on one rollout. Old log-probs are the sampler's throughout, so a later update is off-policy by exactly
 * the updates before it. Completions that were not chosen count nowhere; those without a gradient are left out, unless all
 * are asked for. The metrics are the last pass's, but for entropy, which is the sampler's, and the sampler check: of the
 * first update, which is the only one whose weights the sampler had.
 */
export async function updatePolicy(
  context: TrainingContext,
  settings: RolloutSettings,
  groups: readonly RolloutGroup[],
  sampling: SamplingOptions,
  { index }: StepPosition,
  { all = false }: { readonly all?: boolean } = {},
): Promise<Metrics> {
  const { engine } = context;
  const chosen = miniBatches(groups.map(chosenOf), settings);
  const weighted = all ? chosen : chosen.map((batch) => withoutZeroGradients(batch, settings.beta));
  const reference = settings.beta > 0 ? await engine.reference!.logProbs(weighted.flat(), sampling) : null;
  const batches = reference === null ? weighted : withReference(weighted, reference);
  const { bounds, loss } = lossOf(settings);
  const first = index * updatesPerStep(settings);
  const updates = context.steps * updatesPerStep(settings);
  let metrics: Metrics = {};
  let samplerDifference: number | null = null;
  const results: OptimResult[] = [];
  for (let iteration = 0; iteration < settings.num_iterations; iteration++) {
    const losses: number[] = [];
    const gradNorms: number[] = [];
    const sums: PolicySums[] = [];
    let learningRate = 0;
    for (const [i, batch] of batches.entries()) {
      const optimiser = optimiserAt(settings, first + iteration * batches.length + i, updates);
      const forward = await engine.forwardBackward({ groups: batch, scoring: sampling, loss });
      const update = await engine.optimStep(optimiser);
      if (iteration === 0 && i === 0) samplerDifference = largestDifference(batch, forward);
      losses.push(forward.loss);
      gradNorms.push(update.gradNorm);
      results.push(update);
      sums.push(sumPolicy(batch, forward, { bounds, level: settings.importance_sampling_level }));
      learningRate = optimiser.learningRate;
    }
    const entropy = meanEntropy(entropiesOf(groups, settings));
    metrics = {
      loss: meanOf(losses),
      ...(entropy === null ? {} : { "policy/entropy": entropy }),
      ...policyMetrics(sums, { counted: countTokens(chosen.flat()), hasReference: reference !== null }),
      "optim/grad_norm": meanOf(gradNorms),
      "optim/learning_rate": learningRate,
    };
    if (nonFinite(metrics) !== null) break; // a later pass might hide it
  }
  return {
    ...metrics,
    ...deviceMetrics(results),
    ...(samplerDifference === null ? {} : { "sampler/logprob_diff_max": samplerDifference }),
    "completion/trained_fraction": countCompletions(weighted.flat()) / Math.max(1, countCompletions(groups)),
  };
}

function countCompletions(groups: readonly { readonly completions: readonly unknown[] }[]): number {
  return groups.reduce((sum, { completions }) => sum + completions.length, 0);
}

/** The group as if only what was chosen had been sampled. */
function chosenOf({ chosen, ...group }: RolloutGroup): RolloutGroup {
  if (chosen === undefined) return group;
  const completions = group.completions.filter((_, i) => chosen[i]);
  return { ...group, completions, advantages: group.advantages.filter((_, i) => chosen[i]) };
}

/** Of all sampled completions but masked ones; none where the engine cannot tell. */
function entropiesOf(groups: readonly RolloutGroup[], settings: RolloutSettings): Float32Array[] {
  return groups.flatMap((group) => {
    const masked = maskOf(group, settings);
    return group.completions.flatMap(({ stats, segments }, i) => {
      return masked[i] || stats?.entropy === undefined ? [] : policyValues(stats.entropy, segments);
    });
  });
}

/** Whole groups in the rollout's order, as equal in number as they divide, each with the weights of its own update. */
function miniBatches(groups: readonly RolloutGroup[], settings: RolloutSettings): TrainingGroup[][] {
  const count = settings.steps_per_generation;
  const tokens = groups.reduce((sum, group) => sum + countedTokens(group, settings), 0);
  return Array.from({ length: count }, (_, i) => {
    const at = (j: number) => Math.round((j * groups.length) / count);
    return toTrainingGroups(groups.slice(at(i), at(i + 1)), settings, tokens / count);
  });
}

function countedTokens(group: RolloutGroup, settings: RolloutSettings): number {
  const masked = maskOf(group, settings);
  return group.completions.reduce((sum, completion, i) => sum + (masked[i] ? 0 : policyLength(completion)), 0);
}

/** Completions that carry no loss. */
export function maskOf({ completions }: Pick<RolloutGroup, "completions">, settings: RolloutSettings): boolean[] {
  return completions.map(({ finishReason }) => settings.mask_truncated_completions && finishReason === "length");
}

function toTrainingGroups(
  groups: readonly RolloutGroup[],
  settings: RolloutSettings,
  tokensPerStep: number,
): TrainingGroup[] {
  const lengths = groups.flatMap(({ completions }) => completions.map(policyLength));
  const masked = groups.flatMap((group) => maskOf(group, settings));
  const o = { maxCompletionLength: settings.max_completion_length, tokensPerStep };
  const weights = tokenWeights(lengths, masked, { ...o, lossType: settings.loss_type });
  // The bonus is a mean over the update's tokens, whatever loss_type does to the loss.
  const perToken = tokenWeights(lengths, masked, { ...o, lossType: "bnpo" });
  let next = 0;
  return groups.map(({ prompt, completions, advantages }) => ({
    prompt,
    completions: completions.map(({ tokenIds, logProbs, segments, images = [] }, i) => {
      const at = next++;
      const weight = weights[at]!;
      const entropyWeight = settings.entropy_coef * perToken[at]!;
      const own = { tokenIds, oldLogProbs: logProbs, weight, entropyWeight, advantage: advantages[i]! };
      return segments === undefined ? own : { ...own, ...ofPolicy(own, policyMask(segments)), images };
    }),
  }));
}

/** The weights of a completion with tools: of its policy's tokens alone. */
function ofPolicy(
  { weight, entropyWeight }: { readonly weight: number; readonly entropyWeight: number },
  mask: Uint8Array,
) {
  const masked = (value: number) => Float32Array.from(mask, (counts) => value * counts);
  return { mask, weight: masked(weight), entropyWeight: masked(entropyWeight) };
}

function lossOf(settings: RolloutSettings): { readonly bounds: RatioBounds; readonly loss: TokenBatch["loss"] } {
  const { beta, token_loss } = settings;
  const loss = policyLosses[token_loss];
  return {
    bounds: loss.bounds(settings),
    loss: {
      name: token_loss,
      variant: {
        onPolicy: updatesPerStep(settings) === 1,
        level: settings.importance_sampling_level,
        klEstimator: beta > 0 ? settings.kl_estimator : null,
        entropyBonus: settings.entropy_coef > 0,
      },
      numbers: { ...defaultLossNumbers, ...loss.numbers(settings), beta },
    },
  };
}

function withReference(batches: readonly (readonly TrainingGroup[])[], { logProbs }: TokenScores): TrainingGroup[][] {
  let next = 0;
  return batches.map((groups) =>
    groups.map(({ prompt, completions }) => ({
      prompt,
      completions: completions.map((completion) => ({ ...completion, refLogProbs: logProbs[next++]! })),
    })),
  );
}

/** null where nothing was scored, or not under the weights that sampled it. */
function largestDifference(
  groups: readonly TrainingGroup[],
  { logProbs, dropout }: ForwardBackwardResult,
): number | null {
  if (dropout || logProbs.length === 0) return null;
  let most = 0;
  for (const [i, { oldLogProbs }] of groups.flatMap((group) => group.completions).entries()) {
    for (const [t, value] of logProbs[i]!.entries()) most = Math.max(most, Math.abs(value - oldLogProbs![t]!));
  }
  return most;
}
