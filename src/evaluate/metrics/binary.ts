/** Metrics of probabilities against right answers 0 and 1; ties count half, as in scikit-learn. */

/** Area under the receiver operating characteristic: chance that a positive outranks a negative; NaN without both. */
export function auroc(targets: ArrayLike<number>, scores: ArrayLike<number>): number {
  return weightedAuroc(targets, scores)(new Float64Array(targets.length).fill(1));
}

/** The area as a function of how often each row counts; rows are sorted once. */
export function weightedAuroc(
  targets: ArrayLike<number>,
  scores: ArrayLike<number>,
): (times: ArrayLike<number>) => number {
  const order = sortedByScore(scores);
  return (times) => {
    let [positives, negatives, outranked] = [0, 0, 0];
    for (let i = 0; i < order.length; ) {
      let [up, down] = [0, 0];
      const score = scores[order[i]!]!;
      for (; i < order.length && scores[order[i]!] === score; i++) {
        const row = order[i]!;
        if (targets[row] === 1) up += times[row]!;
        else down += times[row]!;
      }
      outranked += up * (negatives + down / 2); // scores fall: the negatives so far outrank these positives
      positives += up;
      negatives += down;
    }
    return positives * negatives === 0 ? Number.NaN : 1 - outranked / (positives * negatives);
  };
}

/** Average precision: precision at each threshold, weighted by the recall it adds; NaN without positives. */
export function auprc(targets: ArrayLike<number>, scores: ArrayLike<number>): number {
  const points = thresholds(targets, scores);
  let [area, before] = [0, 0];
  for (const { precision, recall } of points) {
    area += precision * (recall - before);
    before = recall;
  }
  return points.length === 0 || Number.isNaN(before) ? Number.NaN : area;
}

/** The largest over thresholds of the smaller of precision and recall (PhysioNet challenge 2012); NaN without positives. */
export function minPrecisionRecall(targets: ArrayLike<number>, scores: ArrayLike<number>): number {
  const smaller = thresholds(targets, scores).map(({ precision, recall }) => Math.min(precision, recall));
  return smaller.length === 0 ? Number.NaN : Math.max(...smaller);
}

export interface Confusion {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

/** Counts where scores of at least `threshold` are called positive. */
export function confusion(targets: ArrayLike<number>, scores: ArrayLike<number>, threshold = 0.5): Confusion {
  const counts = { tp: 0, fp: 0, fn: 0, tn: 0 };
  for (let i = 0; i < targets.length; i++) {
    const called = scores[i]! >= threshold;
    counts[targets[i] === 1 ? (called ? "tp" : "fn") : called ? "fp" : "tn"]++;
  }
  return counts;
}

/** F-measure with recall weighted beta times as much as precision; 0 where nothing is found. */
export function fMeasure({ tp, fp, fn }: Confusion, beta = 1): number {
  const weighted = (1 + beta ** 2) * tp;
  return weighted === 0 ? 0 : weighted / (weighted + beta ** 2 * fn + fp);
}

/** Mean cost of an item, a missed positive costing `falseNegative` false alarms (default 5; ours). */
export function costOf({ tp, fp, fn, tn }: Confusion, falseNegative = 5): number {
  return (falseNegative * fn + fp) / (tp + fp + fn + tn);
}

/** Mean squared error of probabilities. */
export function brier(targets: ArrayLike<number>, scores: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < targets.length; i++) sum += (scores[i]! - targets[i]!) ** 2;
  return sum / targets.length;
}

/** Expected calibration error: mean distance of confidence and frequency over ten equal bins of probability. */
export function calibrationError(targets: ArrayLike<number>, scores: ArrayLike<number>, bins = 10): number {
  const sums = Array.from({ length: bins }, () => ({ n: 0, score: 0, target: 0 }));
  for (let i = 0; i < targets.length; i++) {
    const bin = sums[Math.min(bins - 1, Math.floor(scores[i]! * bins))]!;
    bin.n += 1;
    bin.score += scores[i]!;
    bin.target += targets[i]!;
  }
  return sums.reduce((total, { score, target }) => total + Math.abs(score - target), 0) / targets.length;
}

/** Precision and recall at every distinct score, the highest score first. */
function thresholds(targets: ArrayLike<number>, scores: ArrayLike<number>) {
  const order = sortedByScore(scores);
  const positives = Array.from(targets).reduce((sum, target) => sum + target, 0);
  const points: { readonly precision: number; readonly recall: number }[] = [];
  if (positives === 0) return points;
  let tp = 0;
  for (let i = 0; i < order.length; ) {
    const score = scores[order[i]!]!;
    for (; i < order.length && scores[order[i]!] === score; i++) tp += targets[order[i]!]!;
    points.push({ precision: tp / i, recall: tp / positives });
  }
  return points;
}

function sortedByScore(scores: ArrayLike<number>): readonly number[] {
  return Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
}
