/**
 * The meta-transfer step of MeTSK (arXiv 2312.14204, wenhui0206/MeTSK): a head that is fitted to a few labelled features, and
 * what its error on others says of the features. The fitting takes features as they are, so the gradient is of first order.
 */

/** A row of numbers per example. */
export type Rows = readonly ArrayLike<number>[];

/**
 * A logistic head [width] without bias after `steps` steps of gradient descent on the mean log loss; labels are 0 or 1.
 */
export function adaptHead(
  rows: Rows,
  labels: readonly number[],
  head: readonly number[],
  { steps, rate }: { readonly steps: number; readonly rate: number },
): number[] {
  let adapted = [...head];
  for (let step = 0; step < steps; step++) {
    const gradient = new Array<number>(head.length).fill(0);
    for (const [i, row] of rows.entries()) {
      const error = (share(adapted, row) - labels[i]!) / rows.length;
      for (let k = 0; k < head.length; k++) gradient[k]! += error * row[k]!;
    }
    adapted = adapted.map((value, k) => value - rate * gradient[k]!);
  }
  return adapted;
}

/** Mean log loss of a head on rows, and its gradient by them. */
export function headLoss(head: readonly number[], rows: Rows, labels: readonly number[]) {
  const shares = rows.map((row) => share(head, row));
  const losses = shares.map((p, i) => -Math.log(labels[i] === 1 ? p : 1 - p));
  const loss = losses.reduce((sum, value) => sum + value, 0) / rows.length;
  const gradients = shares.map((p, i) => head.map((value) => (value * (p - labels[i]!)) / rows.length));
  return { loss, gradients };
}

function share(head: readonly number[], row: ArrayLike<number>): number {
  return 1 / (1 + Math.exp(-head.reduce((sum, value, k) => sum + value * row[k]!, 0)));
}
