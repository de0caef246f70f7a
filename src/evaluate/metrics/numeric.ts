/** Metrics of predicted numbers. */

export interface NumericErrors {
  /** Mean absolute error, root of the mean squared error. */
  readonly mae: number;
  readonly rmse: number;
  /** Share of the targets' variance that is explained; negative for worse than their mean, NaN without variance. */
  readonly r2: number;
  /** Mean absolute percentage error over targets other than 0, a share. */
  readonly mape: number;
}

/** Errors of predictions against targets of the same length; `times` counts a row as often, as a bootstrap draws it. */
export function numericErrors(
  targets: readonly number[],
  predictions: readonly number[],
  times: ArrayLike<number> = new Float64Array(targets.length).fill(1),
): NumericErrors {
  let [n, known, total, absolute, squared, relative, spread] = [0, 0, 0, 0, 0, 0, 0];
  for (const [i, target] of targets.entries()) {
    const [error, count] = [Math.abs(predictions[i]! - target), times[i]!];
    n += count;
    total += count * target;
    absolute += count * error;
    squared += count * error ** 2;
    if (target === 0) continue;
    known += count;
    relative += count * Math.abs(error / target);
  }
  const mean = total / n;
  for (const [i, target] of targets.entries()) spread += times[i]! * (target - mean) ** 2;
  return {
    mae: absolute / n,
    rmse: Math.sqrt(squared / n),
    r2: spread === 0 ? Number.NaN : 1 - squared / spread,
    mape: relative / known,
  };
}

/**
 * Harrell's concordance of predicted and true times: over pairs whose earlier time is an event, the share that the
 * predictions order alike, ties half; NaN without such pairs. `counts` counts a row as often, as a bootstrap draws it.
 */
export function concordance(
  times: readonly number[],
  predictions: readonly number[],
  events: readonly boolean[],
  counts: ArrayLike<number> = new Float64Array(times.length).fill(1),
): number {
  let [agreed, pairs] = [0, 0];
  for (const [i, time] of times.entries()) {
    if (!events[i] || counts[i] === 0) continue;
    for (const [j, other] of times.entries()) {
      if (!(other > time || (other === time && !events[j] && i !== j))) continue;
      const count = counts[i]! * counts[j]!;
      pairs += count;
      if (predictions[i]! < predictions[j]!) agreed += count;
      else if (predictions[i] === predictions[j]) agreed += 0.5 * count;
    }
  }
  return pairs === 0 ? Number.NaN : agreed / pairs;
}
