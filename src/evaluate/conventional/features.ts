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
