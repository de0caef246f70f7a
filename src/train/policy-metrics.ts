/** What a pass over completions tells about policy, sampler and reference: ratios, clipping, KL, entropy. */
import type { ImportanceSamplingLevel, RatioBounds } from "../algorithms/algorithm.ts";
import { sequenceLogRatio } from "../algorithms/gspo.ts";
import type { ForwardBackwardResult, TrainingGroup } from "../engine/engine.ts";
import { atToken } from "../engine/token-values.ts";
import type { Metrics } from "../runs/metrics.ts";

/** Sums over the tokens that count (weight above 0), so that the mini-batches of a pass add up. */
export interface PolicySums {
  readonly tokens: number;
  readonly entropy: number;
  readonly kl: number;
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
  { logProbs, entropies }: ForwardBackwardResult,
  o: { readonly bounds: RatioBounds; readonly level: ImportanceSamplingLevel },
): PolicySums {
  const sums = { tokens: 0, entropy: 0, kl: 0, ratio: 0, ratioMin: Infinity, ratioMax: -Infinity, ...noClips };
  const completions = groups.flatMap((group) => group.completions);
  for (const [i, { weight, advantage, oldLogProbs, refLogProbs }] of completions.entries()) {
    if (weight === 0) continue;
    const own = logProbs[i]!;
    const shared = o.level === "sequence" ? sequenceLogRatio(own, oldLogProbs!) : null;
    for (let t = 0; t < own.length; t++) {
      if (atToken(weight, t) === 0) continue;
      const direction = atToken(advantage, t);
      const ratio = Math.exp(shared ?? own[t]! - oldLogProbs![t]!);
      const difference = refLogProbs === undefined ? 0 : refLogProbs[t]! - own[t]!;
      sums.tokens++;
      sums.entropy += entropies[i]![t]!;
      sums.kl += Math.exp(difference) - difference - 1;
      sums.ratio += ratio;
      sums.ratioMin = Math.min(sums.ratioMin, ratio);
      sums.ratioMax = Math.max(sums.ratioMax, ratio);
      if (direction < 0 && ratio < o.bounds.low) sums.clippedLow++;
      if (direction > 0 && ratio > o.bounds.high) sums.clippedHigh++;
    }
  }
  return sums;
}

/** Means over all tokens of the updates of a pass; none where no token counts. */
export function policyMetrics(updates: readonly PolicySums[], hasReference: boolean): Metrics {
  const total = (key: keyof PolicySums) => updates.reduce((sum, update) => sum + update[key], 0);
  const tokens = total("tokens");
  if (tokens === 0) return {};
  const share = (key: keyof PolicySums) => total(key) / tokens;
  const [low, high] = [share("clippedLow"), share("clippedHigh")];
  return {
    "policy/entropy": share("entropy"),
    "policy/clip_fraction": low + high,
    "policy/clip_fraction_low": low,
    "policy/clip_fraction_high": high,
    "policy/ratio_mean": share("ratio"),
    "policy/ratio_min": Math.min(...updates.map(({ ratioMin }) => ratioMin)),
    "policy/ratio_max": Math.max(...updates.map(({ ratioMax }) => ratioMax)),
    ...(hasReference ? { "policy/kl": share("kl") } : {}),
  };
}

const noClips = { clippedLow: 0, clippedHigh: 0 };
