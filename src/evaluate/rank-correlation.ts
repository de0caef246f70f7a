/** Spearman's rank correlation of weighted rows, alone or given a class of each row. */

/** A function of how often each row counts, for `bootstrapStatistic`; rows are sorted once. */
export function spearman(
  a: readonly number[],
  b: readonly number[],
  classes: readonly number[] | null,
): (times: ArrayLike<number>) => number {
  const orders = [a, b].map((values) => ({
    values,
    order: values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!),
  }));
  const kinds = classes ?? a.map(() => 0);
  return (times) => {
    const [x, y] = orders.map(({ values, order }) => {
      const column = midranks(values, order, times);
      takeClassMeans(column, kinds, times);
      return column;
    }) as [Float64Array, Float64Array];
    let [xx, yy, xy] = [0, 0, 0];
    for (let i = 0; i < x.length; i++) {
      xx += times[i]! * x[i]! * x[i]!;
      yy += times[i]! * y[i]! * y[i]!;
      xy += times[i]! * x[i]! * y[i]!;
    }
    const rounding = 1e-9 * x.length;
    return xx <= rounding || yy <= rounding ? Number.NaN : xy / Math.sqrt(xx * yy);
  };
}

/** Ranks as if each row stood `times` in the list; equal values share their mean rank. */
function midranks(values: readonly number[], order: readonly number[], times: ArrayLike<number>): Float64Array {
  const found = new Float64Array(values.length);
  let before = 0;
  for (let start = 0; start < order.length; ) {
    let [end, count] = [start, 0];
    while (end < order.length && values[order[end]!] === values[order[start]!]) count += times[order[end++]!]!;
    for (; start < end; start++) found[order[start]!] = before + (count + 1) / 2;
    before += count;
  }
  return found;
}

/** Takes each class's weighted mean away, so that what is left correlates given the class (partial correlation). */
function takeClassMeans(column: Float64Array, classes: readonly number[], times: ArrayLike<number>): void {
  const sums = new Map<number, [sum: number, n: number]>();
  for (const [i, of] of classes.entries()) {
    const [sum, n] = sums.get(of) ?? [0, 0];
    sums.set(of, [sum + times[i]! * column[i]!, n + times[i]!]);
  }
  for (const [i, of] of classes.entries()) {
    const [sum, n] = sums.get(of)!;
    if (n > 0) column[i]! -= sum / n;
  }
}
