/** The windows of Qwen2.5-VL's tower: squares of image tokens, counted from the image's top left, cut off at its edges. */
import { type Grid, visionPositions } from "../qwen_vl/positions.ts";

/** The window of each patch, in merge order, numbered row by row; `tokens` image tokens make a window's side. */
export function windowsOf(grid: Grid, merge: number, tokens: number): Int32Array {
  const [, height, width] = grid;
  const side = tokens * merge;
  const across = Math.ceil(width / side);
  const perFrame = across * Math.ceil(height / side);
  const positions = visionPositions(grid, merge);
  return Int32Array.from({ length: positions.length / 2 }, (_, i) => {
    const [row, column] = [positions[2 * i]!, positions[2 * i + 1]!];
    const frame = Math.floor(i / (height * width));
    return frame * perFrame + Math.floor(row / side) * across + Math.floor(column / side);
  });
}
