/** Formats fractions from 0 to 1 as percentages. */

/** "62.9". */
export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** "63 %". */
export function wholePercent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

/** A difference of fractions in percentage points: "+3.1", "-0.4", "0.0". */
export function points(difference: number): string {
  const text = percent(Math.abs(difference));
  return text === "0.0" ? text : `${difference < 0 ? "-" : "+"}${text}`;
}
