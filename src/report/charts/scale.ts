/** Axes: from data to pixels, with ticks at round numbers. */

/** Linear map of a domain onto pixels. */
export interface Scale {
  readonly domain: readonly [low: number, high: number];
  readonly range: readonly [from: number, to: number];
}

/** Pixel of a value, to a tenth. */
export function at({ domain, range }: Scale, value: number): number {
  const share = (value - domain[0]) / (domain[1] - domain[0]);
  return Math.round(10 * (range[0] + share * (range[1] - range[0]))) / 10;
}

/**
 * At most `count` + 1 round ticks within the domain, spaced by 1, 2 or 5 times a power of ten. With `whole`, the
 * spacing is at least 1.
 */
export function niceTicks([low, high]: readonly [number, number], count: number, whole = false): readonly number[] {
  const step = Math.max(niceStep((high - low) / count), whole ? 1 : 0);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => tidy((first + i) * step));
}

/** The smallest domain with round ends around the values, [0, 1] without values; a single value gets a margin. */
export function niceDomain(values: readonly number[], count: number): readonly [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  if (low === high) {
    const room = low === 0 ? 1 : Math.abs(low) / 10;
    low -= low === 0 ? 0 : room;
    high += room;
  }
  const step = niceStep((high - low) / count);
  return [tidy(Math.floor(low / step + 1e-9) * step), tidy(Math.ceil(high / step - 1e-9) * step)];
}

/** The smallest of 1, 2, 5 times a power of ten that is at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= least * (1 - 1e-9));
  return (factor ?? 10) * power;
}

/** Removes floating-point noise: 0.30000000000000004 becomes 0.3. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
