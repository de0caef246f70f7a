/** Rows of numbers: a dense block and a sparse one, as conventional models read them. */

/** Rows of features; `dense` is [n, width] row by row, `sparse` has for each row its columns and their values. */
export interface Features {
  readonly n: number;
  readonly width: number;
  readonly dense: Float64Array;
  readonly sparseWidth: number;
  readonly sparse: readonly SparseRow[];
}

export interface SparseRow {
  readonly columns: Int32Array;
  readonly values: Float64Array;
}

const EMPTY: SparseRow = { columns: new Int32Array(0), values: new Float64Array(0) };

/** Features of dense rows alone, all of one width. */
export function denseFeatures(rows: readonly ArrayLike<number>[]): Features {
  const width = rows[0]?.length ?? 0;
  const dense = new Float64Array(rows.length * width);
  for (const [i, row] of rows.entries()) dense.set(row, i * width);
  return { n: rows.length, width, dense, sparseWidth: 0, sparse: rows.map(() => EMPTY) };
}

/** The chosen rows, in the order of `indices`. */
export function rowsOf(features: Features, indices: readonly number[]): Features {
  const { width, dense, sparse, sparseWidth } = features;
  const chosen = new Float64Array(indices.length * width);
  for (const [at, i] of indices.entries()) chosen.set(dense.subarray(i * width, (i + 1) * width), at * width);
  return { n: indices.length, width, dense: chosen, sparseWidth, sparse: indices.map((i) => sparse[i]!) };
}

/** Several blocks of the same rows side by side. */
export function beside(blocks: readonly Features[]): Features {
  const n = blocks[0]?.n ?? 0;
  const width = blocks.reduce((sum, block) => sum + block.width, 0);
  const sparseWidth = blocks.reduce((sum, block) => sum + block.sparseWidth, 0);
  const dense = new Float64Array(n * width);
  const sparse = Array.from({ length: n }, (_, i): SparseRow => {
    let [at, offset] = [i * width, 0];
    const columns: number[] = [];
    const values: number[] = [];
    for (const block of blocks) {
      dense.set(block.dense.subarray(i * block.width, (i + 1) * block.width), at);
      at += block.width;
      const row = block.sparse[i]!;
      for (const [c, column] of row.columns.entries()) {
        columns.push(offset + column);
        values.push(row.values[c]!);
      }
      offset += block.sparseWidth;
    }
    return { columns: Int32Array.from(columns), values: Float64Array.from(values) };
  });
  return { n, width, dense, sparseWidth, sparse };
}

/** X w for weights with the bias first: [n]. */
export function productsOf({ n, width, dense, sparse }: Features, weights: Float64Array): Float64Array {
  const margins = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = weights[0]!;
    for (let j = 0; j < width; j++) sum += dense[i * width + j]! * weights[1 + j]!;
    const { columns, values } = sparse[i]!;
    for (let c = 0; c < columns.length; c++) sum += values[c]! * weights[1 + width + columns[c]!]!;
    margins[i] = sum;
  }
  return margins;
}

/** Xᵀ (c ∘ X v) for a factor c of each row, the bias first: both products in one pass over the rows. */
export function weighedProducts(
  { n, width, dense, sparse, sparseWidth }: Features,
  factors: Float64Array,
  v: Float64Array,
): Float64Array {
  const sums = new Float64Array(1 + width + sparseWidth);
  for (let i = 0; i < n; i++) {
    const offset = i * width;
    let margin = v[0]!;
    for (let j = 0; j < width; j++) margin += dense[offset + j]! * v[1 + j]!;
    const { columns, values } = sparse[i]!;
    for (let c = 0; c < columns.length; c++) margin += values[c]! * v[1 + width + columns[c]!]!;
    const r = margin * factors[i]!;
    sums[0]! += r;
    for (let j = 0; j < width; j++) sums[1 + j]! += dense[offset + j]! * r;
    for (let c = 0; c < columns.length; c++) sums[1 + width + columns[c]!]! += values[c]! * r;
  }
  return sums;
}

/** Xᵀ r, the bias first: [1 + width + sparseWidth]. */
export function transposedProducts(
  { n, width, dense, sparse, sparseWidth }: Features,
  residuals: Float64Array,
): Float64Array {
  const sums = new Float64Array(1 + width + sparseWidth);
  for (let i = 0; i < n; i++) {
    const r = residuals[i]!;
    if (r === 0) continue;
    sums[0]! += r;
    for (let j = 0; j < width; j++) sums[1 + j]! += dense[i * width + j]! * r;
    const { columns, values } = sparse[i]!;
    for (let c = 0; c < columns.length; c++) sums[1 + width + columns[c]!]! += values[c]! * r;
  }
  return sums;
}
