import { describe, expect, it } from "vitest";
import { expandSegments } from "./segments.ts";

/** Little-endian data of words or bytes. */
const words = (...values: number[]) => ({ values: Uint16Array.from(values), wordAt: (at: number) => values[at / 2]! });
const bytes = (...values: number[]) => ({
  values: Uint8Array.from(values),
  wordAt: (at: number) => values[at]! + 256 * values[at + 1]!,
});

describe("expandSegments", () => {
  it("expands values and lines", () => {
    // The beginning of the red table of gdcm-US-ALOKA-16.dcm.
    const red = words(0, 2, 0, 28784, 1, 5, 49344);
    expect([...expandSegments(red, 7)]).toEqual([0, 28784, 32896, 37008, 41120, 45232, 49344]);
  });

  it("repeats segments from a place that is counted in bytes", () => {
    // A value, a line down from it, then both again, where the line begins at the repeated value.
    expect([...expandSegments(words(0, 1, 100, 1, 2, 0, 2, 2, 0, 0), 6)]).toEqual([100, 50, 0, 100, 50, 0]);
    expect([...expandSegments(bytes(0, 1, 9, 0, 2, 5, 6, 2, 1, 3, 0, 0, 0), 5)]).toEqual([9, 5, 6, 5, 6]);
    expect([...expandSegments(words(0, 1, 9, 1, 2, 1, 2, 1, 6, 0), 5)]).toEqual([9, 5, 1, 1, 1]); // the line, at byte 6
  });

  it.each([
    ["a line first", words(1, 2, 5), 2],
    ["too many entries", words(0, 3, 1, 2, 3), 2],
    ["too few", words(0, 1, 1), 2],
    ["an empty one", words(0, 1, 1, 0, 0, 0, 1, 2), 2],
    ["a kind that is none", words(0, 1, 1, 3, 1, 1), 2],
    ["a repetition of itself", words(0, 1, 1, 2, 1, 6, 0), 3],
  ])("refuses %s", (_, data, count) => {
    expect(() => expandSegments(data, count)).toThrow("damaged palette");
  });
});
