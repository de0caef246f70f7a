/**
 * Gaps between a group of subjects and the rest in who is called positive and who is found, as ehr-llm-benchmark reports
 * them (fairness/main.py there).
 */

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

/**
 * The gaps of the group against the rest by how often each row counts (once by default); NaN where a share has no items. Scores
 * of at least `threshold` are called positive.
 */
export function subgroupGaps(
  targets: ArrayLike<number>,
  scores: ArrayLike<number>,
  inGroup: ArrayLike<boolean>,
  threshold = 0.5,
): (times?: ArrayLike<number>) => SubgroupGaps {
  return (times) => {
    // By group, target and call: rest and group, negatives and positives, not called and called.
    const counts = new Float64Array(8);
    for (let i = 0; i < targets.length; i++) {
      const cell = (inGroup[i] ? 4 : 0) + (targets[i] === 1 ? 2 : 0) + (scores[i]! >= threshold ? 1 : 0);
      counts[cell]! += times?.[i] ?? 1;
    }
    const [rest, group] = [0, 4].map((at) => rates(counts.subarray(at, at + 4))) as [Rates, Rates];
    const recall = group.recall - rest.recall;
    return {
      disparate_impact: group.called / rest.called,
      parity_difference: group.called - rest.called,
      opportunity_difference: recall,
      odds_difference: (recall + group.falseAlarms - rest.falseAlarms) / 2,
    };
  };
}

type Rates = ReturnType<typeof rates>;

function rates([tn, fp, fn, tp]: Float64Array) {
  const all = tn! + fp! + fn! + tp!;
  return { called: (tp! + fp!) / all, recall: tp! / (tp! + fn!), falseAlarms: fp! / (fp! + tn!) };
}
