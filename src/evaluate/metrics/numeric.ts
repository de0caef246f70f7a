/** Metrics of predicted numbers. */
import { meanOf } from "../../core/mean.ts";

export interface NumericErrors {
  /** Mean absolute error, root of the mean squared error. */
  readonly mae: number;
  readonly rmse: number;
  /** Share of the targets' variance that is explained; negative for worse than their mean, NaN without variance. */
  readonly r2: number;
  /** Mean absolute percentage error over targets other than 0, a share. */
  readonly mape: number;
}

/** Errors of predictions against targets of the same length. */
export function numericErrors(targets: readonly number[], predictions: readonly number[]): NumericErrors {
  const errors = targets.map((target, i) => predictions[i]! - target);
  const mean = meanOf(targets);
  const squared = errors.reduce((sum, error) => sum + error ** 2, 0);
  const spread = targets.reduce((sum, target) => sum + (target - mean) ** 2, 0);
  const relative = errors.flatMap((error, i) => (targets[i] === 0 ? [] : [Math.abs(error / targets[i]!)]));
  return {
    mae: meanOf(errors.map(Math.abs)),
    rmse: Math.sqrt(squared / targets.length),
    r2: spread === 0 ? Number.NaN : 1 - squared / spread,
    mape: meanOf(relative),
  };
}

/**
 * Harrell's concordance of predicted and true times: over pairs whose earlier time is an event, the share that the
 * predictions order alike, ties half; NaN without such pairs.
 */
export function concordance(
  times: readonly number[],
  predictions: readonly number[],
  events: readonly boolean[],
): number {
  let [agreed, pairs] = [0, 0];
  for (const [i, time] of times.entries()) {
    if (!events[i]) continue;
    for (const [j, other] of times.entries()) {
      if (!(other > time || (other === time && !events[j] && i !== j))) continue;
      pairs++;
      if (predictions[i]! < predictions[j]!) agreed++;
      else if (predictions[i] === predictions[j]) agreed += 0.5;
    }
  }
  return pairs === 0 ? Number.NaN : agreed / pairs;
}
