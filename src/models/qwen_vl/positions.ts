/**
 * Where tokens and patches stand: the Qwen-VL families' three-axis rotary positions (M-RoPE) of a token sequence with images, and the
 * row and column of every vision patch. As transformers' get_rope_index and get_vision_position_ids for images.
 */

/** Patches in time, height and width. */
export type Grid = readonly [number, number, number];

export interface RopePositions {
  /** [3, T]: time, height, width. */
  readonly positions: Int32Array;
  /** The position of the token that follows, the same on all three axes. */
  readonly next: number;
}

/**
 * Text counts on by one on all axes. An image's tokens keep the time, take row and column of the merged grid, all from the
 * position so far; the text after it goes on at the largest position + 1. Throws when image tokens and grids disagree.
 */
export function ropePositions(
  tokenIds: ArrayLike<number>,
  grids: readonly Grid[],
  options: { readonly imageTokenId: number; readonly mergeSize: number },
): RopePositions {
  const { imageTokenId, mergeSize } = options;
  const T = tokenIds.length;
  const positions = new Int32Array(3 * T);
  let next = 0;
  let image = 0;
  for (let i = 0; i < T; ) {
    if (tokenIds[i] !== imageTokenId) {
      for (let axis = 0; axis < 3; axis++) positions[axis * T + i] = next;
      next++;
      i++;
      continue;
    }
    const grid = grids[image++];
    if (grid === undefined)
      throw new Error(`ropePositions: token ${i} starts image ${image}, got ${grids.length} grids`);
    const [t, h, w] = [grid[0], grid[1] / mergeSize, grid[2] / mergeSize];
    for (let k = 0; k < t * h * w; k++, i++) {
      if (tokenIds[i] !== imageTokenId) {
        throw new Error(
          `ropePositions: image ${image} of grid [${grid.join(", ")}] needs ${t * h * w} tokens, got ${k}`,
        );
      }
      positions[i] = next + Math.floor(k / (h * w));
      positions[T + i] = next + (Math.floor(k / w) % h);
      positions[2 * T + i] = next + (k % w);
    }
    next += Math.max(t, h, w);
  }
  if (image !== grids.length)
    throw new Error(`ropePositions: the tokens hold ${image} images, got ${grids.length} grids`);
  return { positions, next };
}

/** Row and column of every patch, [patches, 2], in merge order: the mergeSize² patches of one token follow each other. */
export function visionPositions(grid: Grid, mergeSize: number): Int32Array {
  const [frames, height, width] = grid;
  if (height % mergeSize !== 0 || width % mergeSize !== 0) {
    throw new Error(`visionPositions: the grid's sides must be multiples of ${mergeSize}, got [${grid.join(", ")}]`);
  }
  const positions = new Int32Array(frames * height * width * 2);
  let o = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (let top = 0; top < height; top += mergeSize) {
      for (let left = 0; left < width; left += mergeSize) {
        for (let y = top; y < top + mergeSize; y++) {
          for (let x = left; x < left + mergeSize; x++) {
            positions[o++] = y;
            positions[o++] = x;
          }
        }
      }
    }
  }
  return positions;
}
