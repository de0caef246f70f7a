/** A metric over steps, made fit to draw: few enough points, and a running mean that shows the trend under the noise. */
import { meanOf } from "../../core/mean.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** More points than this cannot be told apart on a chart. */
export const MOST_POINTS = 240;

/** At most `most` points: means of equal runs of neighbours; points that are no number are left out. */
export function thin(points: readonly Point[], most = MOST_POINTS): readonly Point[] {
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

/** The window that shows a trend over so many points: about a twelfth of them, odd. */
export function trendWindow(count: number): number {
  return 2 * Math.floor(count / 24) + 1;
}

function mean(points: readonly Point[]): Point {
  return { x: meanOf(points.map(({ x }) => x)), y: meanOf(points.map(({ y }) => y)) };
}
