/** Formats numbers for readers: few digits, fractions in percent, differences with sign. */
import { percent, points as plainPoints } from "../core/percent.ts";
import type { Interval } from "../runs/statistics-records.ts";

/** At most three significant digits, no exponent for common sizes; "–" for NaN. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1000) return minus(String(Math.round(value)));
  if (size !== 0 && size < 1e-3) return minus(value.toExponential(1).replace(".0e", "e"));
  return minus(String(Number(value.toPrecision(3))));
}

/** A difference of fractions in percentage points, "+3.1" or "−0.4". */
export function points(difference: number): string {
  return minus(plainPoints(difference));
}

/** "62.9 % [58.8, 67.3]". */
export function intervalText({ estimate, low, high }: Interval): string {
  return `${percent(estimate)} % [${percent(low)}, ${percent(high)}]`;
}

/** "+3.1 [−0.2, +6.5]", percentage points unless numbers are written in another way. */
export function differenceText({ estimate, low, high }: Interval, number = points): string {
  return `${number(estimate)} [${number(low)}, ${number(high)}]`;
}

/** A p-value as "p = 0.03" or "p < 0.001". */
export function pValue(p: number): string {
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(p < 0.1 ? 3 : 2)}`;
}

/** "length" as "Length". */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function minus(text: string): string {
  return text.replace(/^-/, "−").replace(/e-/, "e−");
}
