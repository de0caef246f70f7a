/** What completions and a pass over them tell about policy, sampler and reference: entropy, ratios, clipping, KL. */
import type { ImportanceSamplingLevel, RatioBounds } from "../algorithms/algorithm.ts";
import { sequenceLogRatio } from "../algorithms/gspo.ts";
import type { ForwardBackwardResult, TrainingGroup } from "../engine/engine.ts";
import { atToken } from "../engine/token-values.ts";
import type { Metrics } from "../runs/metrics.ts";

/** Sums over the tokens that count (weight above 0), so that the mini-batches of a pass add up. */
export interface PolicySums {
  readonly kl: number;
  /** Tokens whose ratio matters: those of an advantage other than 0. */
  readonly ratios: number;
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
  /** Tokens whose ratio the loss clips: below the range with A < 0, above it with A > 0. */
  readonly clippedLow: number;
  readonly clippedHigh: number;
}

/** Of one update; KL is k3's estimate and 0 for completions without reference log-probs. */
export function sumPolicy(
  groups: readonly TrainingGroup[],
  { logProbs }: Pick<ForwardBackwardResult, "logProbs">,
  o: { readonly bounds: RatioBounds; readonly level: ImportanceSamplingLevel },
): PolicySums {
  const sums = { kl: 0, ratios: 0, ratio: 0, ratioMin: Infinity, ratioMax: -Infinity, ...noClips };
  const completions = groups.flatMap((group) => group.completions);
  for (const [i, { weight, advantage, oldLogProbs, refLogProbs, mask }] of completions.entries()) {
    if (weight === 0) continue;
    const own = logProbs[i]!;
    const shared = o.level === "sequence" ? sequenceLogRatio(own, oldLogProbs!, mask) : null;
    for (let t = 0; t < own.length; t++) {
      if (atToken(weight, t) === 0) continue;
      const difference = refLogProbs === undefined ? 0 : refLogProbs[t]! - own[t]!;
      sums.kl += Math.exp(difference) - difference - 1;
      const direction = atToken(advantage, t);
      if (direction === 0) continue;
      const ratio = Math.exp(shared ?? own[t]! - oldLogProbs![t]!);
      sums.ratios++;
      sums.ratio += ratio;
      sums.ratioMin = Math.min(sums.ratioMin, ratio);
      sums.ratioMax = Math.max(sums.ratioMax, ratio);
      if (direction < 0 && ratio < o.bounds.low) sums.clippedLow++;
      if (direction > 0 && ratio > o.bounds.high) sums.clippedHigh++;
    }
  }
  return sums;
}

/** Tokens that count. */
export function countTokens(groups: readonly TrainingGroup[]): number {
  let count = 0;
  for (const { tokenIds, weight } of groups.flatMap(({ completions }) => completions)) {
    for (let t = 0; t < tokenIds.length; t++) if (atToken(weight, t) !== 0) count++;
  }
  return count;
}

/** Over all tokens of the completions that these entropies are of; null where there are none. */
export function meanEntropy(entropies: readonly Float32Array[]): number | null {
  const tokens = entropies.reduce((total, { length }) => total + length, 0);
  const sum = entropies.reduce((total, values) => values.reduce((partial, value) => partial + value, total), 0);
  return tokens === 0 ? null : sum / tokens;
}

/** Means of the updates of a pass: over all tokens that count, those that were not scored included, and over ratios. */
export function policyMetrics(
  updates: readonly PolicySums[],
  { counted, hasReference }: { readonly counted: number; readonly hasReference: boolean },
): Metrics {
  const total = (key: keyof PolicySums) => updates.reduce((sum, update) => sum + update[key], 0);
  if (counted === 0) return {};
  const share = (key: keyof PolicySums) => total(key) / counted;
  const ratios = total("ratios");
  const [low, high] = [share("clippedLow"), share("clippedHigh")];
  return {
    "policy/clip_fraction": low + high,
    "policy/clip_fraction_low": low,
    "policy/clip_fraction_high": high,
    "policy/ratio_mean": ratios === 0 ? 1 : total("ratio") / ratios,
    "policy/ratio_min": ratios === 0 ? 1 : Math.min(...updates.map(({ ratioMin }) => ratioMin)),
    "policy/ratio_max": ratios === 0 ? 1 : Math.max(...updates.map(({ ratioMax }) => ratioMax)),
    ...(hasReference ? { "policy/kl": share("kl") } : {}),
  };
}

const noClips = { clippedLow: 0, clippedHigh: 0 };
