/**
 * Gaps between a group of subjects and the rest in who is called positive and who is found, as ehr-llm-benchmark reports
 * them (fairness/main.py there).
 */
import { type Confusion, confusion } from "./binary.ts";

export interface SubgroupGaps {
  /** Disparate impact: ratio of the shares called positive; 1 is equal. */
  readonly disparate_impact: number;
  /** Statistical parity difference: difference of the shares called positive. */
  readonly parity_difference: number;
  /** Equal opportunity difference: difference of recalls. */
  readonly opportunity_difference: number;
  /** Average odds difference: mean of the differences of recalls and of false-positive rates. */
  readonly odds_difference: number;
}

/** The gaps of the group against the rest; NaN where a share has no items. */
export function subgroupGaps(
  targets: ArrayLike<number>,
  scores: ArrayLike<number>,
  inGroup: ArrayLike<boolean>,
  threshold = 0.5,
): SubgroupGaps {
  const of = (own: boolean) => {
    const indices = Array.from(targets, (_, i) => i).filter((i) => inGroup[i] === own);
    return rates(
      confusion(
        indices.map((i) => targets[i]!),
        indices.map((i) => scores[i]!),
        threshold,
      ),
    );
  };
  const [group, rest] = [of(true), of(false)];
  const recall = group.recall - rest.recall;
  return {
    disparate_impact: group.called / rest.called,
    parity_difference: group.called - rest.called,
    opportunity_difference: recall,
    odds_difference: (recall + group.falseAlarms - rest.falseAlarms) / 2,
  };
}

function rates({ tp, fp, fn, tn }: Confusion) {
  return { called: (tp + fp) / (tp + fp + fn + tn), recall: tp / (tp + fn), falseAlarms: fp / (fp + tn) };
}
