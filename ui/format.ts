/** How numbers are written on the pages; shares and differences as in reports. */

export { duration } from "../src/core/duration.ts";
export { percent, wholePercent } from "../src/core/percent.ts";
export { differenceText, intervalText, points, pValue } from "../src/report/format.ts";

/** Four significant digits, no exponent for everyday sizes. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  if (Math.abs(value) >= 10_000) return value.toFixed(0);
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1).replace("-", "−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** "+0.52" or "−1.3". */
export function signed(value: number): string {
  return `${value > 0 ? "+" : ""}${short(Math.round(value * 1000) / 1000)}`;
}

/** "3 min ago". */
export function ago(milliseconds: number, now = Date.now()): string {
  const seconds = Math.max(0, (now - milliseconds) / 1000);
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400 * 2) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

/** "dr-a, 2026-11-30 16:12 UTC". */
export function signature({ by, at }: { readonly by: string; readonly at: string }): string {
  return `${by}, ${at.slice(0, 16).replace("T", " ")} UTC`;
}

/** "1.2 GB". */
export function bytes(count: number): string {
  if (count < 1e6) return `${(count / 1e3).toFixed(0)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}
