/** The arithmetic mean; 0 if empty. */
export function meanOf(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return values.length === 0 ? 0 : total / values.length;
}

/** A metric that is a mean, under its name; nothing where there are no values, for a mean of nothing is not 0. */
export function meanMetric(name: string, values: ArrayLike<number>): Readonly<Record<string, number>> {
  return values.length === 0 ? {} : { [name]: meanOf(values) };
}
