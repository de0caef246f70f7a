/** Which of SigLIP's learned positions each patch of a tile takes. */
import { visionPositions } from "../qwen_vl/positions.ts";

/**
 * The learned position of every patch, in merge order: row and column as fractions of the tile fall into one of
 * `perSide` x `perSide` buckets, so that a tile of any size spans the positions of the whole image the tower learned on.
 * Fractions and bounds are rounded to float32 as transformers' Idefics3VisionEmbeddings does, for on ties that decides.
 */
export function learnedPositions(rows: number, columns: number, merge: number, perSide: number): Int32Array {
  const [ofRow, ofColumn] = [bucketsOf(rows, perSide), bucketsOf(columns, perSide)];
  const order = visionPositions([1, rows, columns], merge);
  return Int32Array.from({ length: order.length / 2 }, (_, i) => {
    return ofRow[order[2 * i]!]! * perSide + ofColumn[order[2 * i + 1]!]!;
  });
}

/** For each of `count` patches along a side, how many bounds 1/perSide, 2/perSide… its fraction has reached. */
function bucketsOf(count: number, perSide: number): Int32Array {
  const step = Math.fround(1 / count);
  const bounds = boundsOf(perSide);
  return Int32Array.from({ length: count }, (_, i) => {
    const fraction = Math.min(Math.fround(i * step), Math.fround(1 - 1e-6));
    return bounds.filter((bound) => bound <= fraction).length;
  });
}

/** PyTorch's float32 arange(1/perSide, 1, 1/perSide) on x86: as far as 16 fit, each 8 count on from a rounded number. */
function boundsOf(perSide: number): number[] {
  const step = 1 / perSide;
  const length = Math.ceil((1 - step) / step);
  const inEights = length - (length % 16);
  return Array.from({ length }, (_, i) => {
    if (i >= inEights) return Math.fround(step + i * step);
    return Math.fround(Math.fround(step + (i - (i % 8)) * step) + (i % 8) * step);
  });
}
