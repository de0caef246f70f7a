/** Prepares a metric for drawing: downsamples it, and smooths it with a running mean. */
import { meanOf } from "../../core/mean.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** More points than this are indistinguishable on a chart. */
export const MAX_POINTS = 240;

/** Downsamples to at most `most` points: means of consecutive runs of equal length; NaN points are dropped. */
export function thin(points: readonly Point[], most = MAX_POINTS): readonly Point[] {
  const finite = points.filter(({ y }) => Number.isFinite(y));
  if (finite.length <= most) return finite;
  return Array.from({ length: most }, (_, i) => {
    const from = Math.floor((i * finite.length) / most);
    return mean(finite.slice(from, Math.floor(((i + 1) * finite.length) / most)));
  });
}

/** Centred running mean over `window` neighbours (odd), over fewer at the ends, where it stays centred. */
export function runningMean(points: readonly Point[], window: number): readonly Point[] {
  const most = Math.floor(window / 2);
  return points.map(({ x }, i) => {
    const reach = Math.min(most, i, points.length - 1 - i);
    return { x, y: mean(points.slice(i - reach, i + reach + 1)).y };
  });
}

/** A smoothing window for this many points: about a twelfth, odd. */
export function trendWindow(count: number): number {
  return 2 * Math.floor(count / 24) + 1;
}

function mean(points: readonly Point[]): Point {
  return { x: meanOf(points.map(({ x }) => x)), y: meanOf(points.map(({ y }) => y)) };
}
