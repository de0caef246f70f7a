import { describe, expect, it } from "vitest";
import { ropePositions, visionPositions } from "./positions.ts";

const options = { imageTokenId: 9, mergeSize: 2 };

describe("ropePositions", () => {
  it("counts text alike on all axes", () => {
    expect(ropePositions([1, 2, 3], [], options)).toEqual({
      positions: Int32Array.of(0, 1, 2, 0, 1, 2, 0, 1, 2),
      next: 3,
    });
    expect(ropePositions([], [], options)).toEqual({ positions: new Int32Array(0), next: 0 });
  });

  it("lays an image out on its merged grid and goes on after its larger side", () => {
    const { positions, next } = ropePositions([1, 9, 9, 9, 9, 9, 9, 2], [[1, 4, 6]], options);
    expect([...positions.subarray(0, 8)]).toEqual([0, 1, 1, 1, 1, 1, 1, 4]);
    expect([...positions.subarray(8, 16)]).toEqual([0, 1, 1, 1, 2, 2, 2, 4]);
    expect([...positions.subarray(16)]).toEqual([0, 1, 2, 3, 1, 2, 3, 4]);
    expect(next).toBe(5);
  });

  it("tells images apart that touch", () => {
    const { positions, next } = ropePositions(
      [9, 9, 9],
      [
        [1, 2, 4],
        [1, 2, 2],
      ],
      options,
    );
    expect([...positions.subarray(6)]).toEqual([0, 1, 2]);
    expect(next).toBe(3);
  });

  it.each<[string, number[], [number, number, number][], RegExp]>([
    ["an image token without a grid", [1, 9], [], /token 1 starts image 1, got 0 grids/],
    ["too few image tokens", [9, 9, 1], [[1, 4, 4]], /image 1 of grid \[1, 4, 4\] needs 4 tokens, got 2/],
    ["image tokens cut at the end", [9, 9, 9], [[1, 4, 4]], /needs 4 tokens, got 3/],
    ["a grid without tokens", [1, 2], [[1, 2, 2]], /hold 0 images, got 1 grids/],
    ["too many image tokens", [9, 9], [[1, 2, 2]], /starts image 2, got 1 grids/],
  ])("refuses %s", (_, ids, grids, message) => {
    expect(() => ropePositions(ids, grids, options)).toThrow(message);
  });
});

describe("visionPositions", () => {
  it("lets the patches of one token follow each other", () => {
    const pairs = visionPositions([1, 2, 4], 2);
    expect([...pairs]).toEqual([0, 0, 0, 1, 1, 0, 1, 1, 0, 2, 0, 3, 1, 2, 1, 3]);
  });

  it("visits every patch of every frame once", () => {
    const pairs = visionPositions([2, 6, 4], 2);
    const seen = Array.from({ length: 48 }, (_, i) => pairs[2 * i]! * 4 + pairs[2 * i + 1]!);
    for (const frame of [seen.slice(0, 24), seen.slice(24)]) expect(new Set(frame).size).toBe(24);
  });

  it("refuses a grid that merging does not divide", () => {
    expect(() => visionPositions([1, 3, 4], 2)).toThrow("the grid's sides must be multiples of 2, got [1, 3, 4]");
  });
});
