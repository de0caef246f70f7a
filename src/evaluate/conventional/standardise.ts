/** Transforms that are fitted on training rows and applied to others: z-scores and principal components. */

/** Columns to mean 0 and standard deviation 1 over the rows it was fitted on; constant columns become 0. */
export function zScores(rows: readonly ArrayLike<number>[]): (row: ArrayLike<number>) => Float64Array {
  const width = rows[0]?.length ?? 0;
  const [mean, square] = [new Float64Array(width), new Float64Array(width)];
  for (const row of rows) {
    for (let j = 0; j < width; j++) mean[j]! += row[j]! / rows.length;
  }
  for (const row of rows) {
    for (let j = 0; j < width; j++) square[j]! += (row[j]! - mean[j]!) ** 2 / rows.length;
  }
  return (row) =>
    Float64Array.from(row, (value, j) => (square[j]! > 1e-18 ? (value - mean[j]!) / Math.sqrt(square[j]!) : 0));
}

/**
 * The leading `components` principal components of the rows, each as scores of a row: by subspace iteration on centred
 * rows, so that no covariance matrix is made; components of nearly equal variance may be mixed. Deterministic; signs are such that the largest loading is positive.
 */
export function principalComponents(
  rows: readonly ArrayLike<number>[],
  components: number,
): (row: ArrayLike<number>) => Float64Array {
  const [n, width] = [rows.length, rows[0]?.length ?? 0];
  const k = Math.min(components, n, width);
  const mean = new Float64Array(width);
  for (const row of rows) for (let j = 0; j < width; j++) mean[j]! += row[j]! / n;
  const centred = rows.map((row) => Float64Array.from(row, (value, j) => value - mean[j]!));
  // Start from unit vectors mixed by cosines, which no data is orthogonal to.
  let basis: Float64Array[] = Array.from({ length: k }, (_, c) =>
    Float64Array.from({ length: width }, (_, j) => Math.cos((c + 1) * (j + 0.5))),
  );
  for (let round = 0; round < 30; round++) basis = orthonormal(basis.map((vector) => covarianceTimes(centred, vector)));
  for (const vector of basis) {
    const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    if (largest < 0) for (let j = 0; j < width; j++) vector[j] = -vector[j]!;
  }
  return (row) =>
    Float64Array.from(basis, (vector) => vector.reduce((sum, value, j) => sum + value * (row[j]! - mean[j]!), 0));
}

function covarianceTimes(rows: readonly Float64Array[], vector: Float64Array): Float64Array {
  const result = new Float64Array(vector.length);
  for (const row of rows) {
    let score = 0;
    for (let j = 0; j < row.length; j++) score += row[j]! * vector[j]!;
    for (let j = 0; j < row.length; j++) result[j]! += score * row[j]!;
  }
  return result;
}

/** Gram-Schmidt, twice for numerical orthogonality; a vector without a part of its own becomes 0. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const done: Float64Array[] = [];
  for (const vector of vectors) {
    const own = Float64Array.from(vector);
    for (let pass = 0; pass < 2; pass++) {
      for (const other of done) {
        const shared = own.reduce((sum, value, j) => sum + value * other[j]!, 0);
        for (let j = 0; j < own.length; j++) own[j]! -= shared * other[j]!;
      }
    }
    const length = Math.sqrt(own.reduce((sum, value) => sum + value ** 2, 0));
    done.push(length > 1e-12 ? own.map((value) => value / length) : own.fill(0));
  }
  return done;
}
