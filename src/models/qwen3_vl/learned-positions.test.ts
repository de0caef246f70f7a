import { expect, test } from "vitest";
import { visionPositions } from "../qwen_vl/positions.ts";
import { interleavedAxes } from "./config.ts";
import { bilinearPositions } from "./learned-positions.ts";

/** Where each patch falls in the table, [row, column]: the mean of its rows under their weights. */
function places(side: number, grid: readonly [number, number, number]): number[][] {
  const { rows, weights } = bilinearPositions(side, 2).of(grid);
  return Array.from({ length: rows.length / 4 }, (_, i) => {
    const taps = [0, 1, 2, 3].map((t) => 4 * i + t);
    expect(taps.reduce((sum, t) => sum + weights[t]!, 0)).toBeCloseTo(1, 6);
    const mean = (of: (row: number) => number) => taps.reduce((sum, t) => sum + weights[t]! * of(rows[t]!), 0);
    return [mean((row) => Math.floor(row / side)), mean((row) => row % side)];
  });
}

test("the image's edges fall on the table's, and patches between them are evenly spaced", () => {
  const grid = [1, 4, 8] as const;
  const positions = visionPositions(grid, 2);
  const found = places(5, grid);
  expect(found.length).toBe(32);
  for (const [i, place] of found.entries()) {
    const [row, column] = [positions[2 * i]!, positions[2 * i + 1]!];
    expect(place).toEqual([expect.closeTo((row * 4) / 3, 5), expect.closeTo((column * 4) / 7, 5)]);
  }
});

test("an image of the table's own size takes each row by itself", () => {
  const { rows, weights } = bilinearPositions(4, 2).of([1, 4, 4]);
  const positions = visionPositions([1, 4, 4], 2);
  for (let i = 0; i < 16; i++) {
    expect([...weights.subarray(4 * i, 4 * i + 4)]).toEqual([1, 0, 0, 0]);
    expect(rows[4 * i]).toBe(4 * positions[2 * i]! + positions[2 * i + 1]!);
  }
});

test("axes take turns until their section is used up; time has the rest", () => {
  expect(interleavedAxes([4, 2, 2])).toEqual([0, 1, 2, 0, 1, 2, 0, 0]);
  const real = interleavedAxes([24, 20, 20]);
  expect([0, 1, 2].map((axis) => real.filter((own) => own === axis).length)).toEqual([24, 20, 20]);
  expect(real.slice(57)).toEqual([0, 1, 2, 0, 0, 0, 0]);
});
