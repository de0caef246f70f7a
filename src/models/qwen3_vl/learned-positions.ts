/** Qwen3-VL's learned positions: a square table, stretched over the image by bilinear interpolation with aligned corners. */
import type { LearnedPositions } from "../model.ts";
import { visionPositions } from "../qwen_vl/positions.ts";

/** Four neighbours in the table of side x side rows, and their shares, for every patch in merge order. */
export function bilinearPositions(side: number, merge: number): LearnedPositions {
  return {
    taps: 4,
    of: (grid) => {
      const [, height, width] = grid;
      const positions = visionPositions(grid, merge);
      const tableRows = new Int32Array(2 * positions.length);
      const weights = new Float32Array(2 * positions.length);
      for (let i = 0; 2 * i < positions.length; i++) {
        const rows = axisTaps(positions[2 * i]!, height, side);
        const columns = axisTaps(positions[2 * i + 1]!, width, side);
        for (const [r, row] of rows.entries()) {
          for (const [c, column] of columns.entries()) {
            tableRows[4 * i + 2 * r + c] = row.index * side + column.index;
            weights[4 * i + 2 * r + c] = row.share * column.share;
          }
        }
      }
      return { rows: tableRows, weights };
    },
  };
}

/** The two rows around a place `index` of `size` on an axis of `side` rows; first and last fall on the table's ends. */
function axisTaps(index: number, size: number, side: number) {
  const source = Math.fround((index * (side - 1)) / Math.max(size - 1, 1)); // rounded as torch does
  const below = Math.floor(source);
  const share = source - below;
  return [
    { index: below, share: Math.fround(1 - share) },
    { index: Math.min(below + 1, side - 1), share },
  ] as const;
}
