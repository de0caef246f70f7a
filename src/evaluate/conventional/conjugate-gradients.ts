/** Conjugate gradients: solves A x = right for a symmetric positive definite A that is given as a product. */

const MAX_STEPS = 2000;

/** x to a residual of `relative` of the right side's length. */
export function conjugateGradients(
  times: (v: Float64Array) => Float64Array,
  right: Float64Array,
  relative = 1e-12,
): Float64Array {
  const x = new Float64Array(right.length);
  const residual = Float64Array.from(right);
  const direction = Float64Array.from(right);
  let squared = dot(residual, residual);
  const enough = relative ** 2 * Math.max(squared, 1e-12);
  for (let i = 0; i < MAX_STEPS && squared > enough; i++) {
    const product = times(direction);
    const step = squared / dot(direction, product);
    for (let j = 0; j < x.length; j++) {
      x[j]! += step * direction[j]!;
      residual[j]! -= step * product[j]!;
    }
    const next = dot(residual, residual);
    for (let j = 0; j < x.length; j++) direction[j] = residual[j]! + (next / squared) * direction[j]!;
    squared = next;
  }
  return x;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
