import { describe, expect, it } from "vitest";
import type { RawImage } from "../core/records.ts";
import { sha256 } from "./files.ts";
import { resizeBicubic, resizeLanczos } from "./resize.ts";

/** Pixels by formula, so that Pillow can be given the same: (7 x² + 37 y + 3 x y + 53 channel) mod 256. */
function pattern(width: number, height: number, channels: 1 | 3): RawImage {
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    const channel = i % channels;
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / channels / width);
    data[i] = x * x * 7 + y * 37 + x * y * 3 + channel * 53;
  }
  return { width, height, channels, data };
}

interface Case {
  readonly from: readonly [width: number, height: number, channels: 1 | 3];
  readonly to: readonly [width: number, height: number];
  readonly hash: string;
}

describe("resize", () => {
  // Starts of the SHA-256 of what Image.resize(size, BICUBIC or LANCZOS).tobytes() of Pillow 13.0.0 gives for the pattern.
  it.each<Case>([
    { from: [50, 40, 3], to: [28, 28], hash: "e365290814a709a9" },
    { from: [50, 40, 3], to: [84, 112], hash: "84ecc9df98a460c3" },
    { from: [30, 90, 3], to: [28, 28], hash: "2726bb15178c38b9" },
    { from: [30, 90, 3], to: [56, 28], hash: "f8ebf6a34ca66f92" },
    { from: [97, 31, 1], to: [28, 56], hash: "0aa81635de8b4390" },
    { from: [300, 200, 3], to: [28, 28], hash: "abad5abdf707d20b" },
    { from: [28, 61, 3], to: [28, 28], hash: "9a03c067913cd510" },
    { from: [61, 28, 3], to: [28, 28], hash: "5e18eb868f563552" },
    { from: [1, 5, 3], to: [28, 56], hash: "495c892c132e6ed8" },
    { from: [33, 33, 1], to: [33, 33], hash: "e896533825a55054" },
  ])("bicubic: $from to $to is Pillow's, bit for bit", ({ from, to, hash }) => {
    const resized = resizeBicubic(pattern(...from), ...to);
    expect([resized.width, resized.height, resized.channels]).toEqual([...to, from[2]]);
    expect(sha256(resized.data).slice(0, 16)).toBe(hash);
  });

  it.each<Case>([
    { from: [50, 40, 3], to: [28, 28], hash: "e2632436aa5757e9" },
    { from: [50, 40, 3], to: [84, 112], hash: "e47014d7849f2625" },
    { from: [30, 90, 3], to: [28, 28], hash: "939e61827682bcad" },
    { from: [30, 90, 3], to: [56, 28], hash: "0accaf7d7c3c7539" },
    { from: [97, 31, 1], to: [28, 56], hash: "46c94f623390f762" },
    { from: [300, 200, 3], to: [28, 28], hash: "dd0fe234820c07c0" },
    { from: [28, 61, 3], to: [28, 28], hash: "812d5fe44c56f556" },
    { from: [61, 28, 3], to: [28, 28], hash: "917f0bb8d6119d7a" },
    { from: [1, 5, 3], to: [28, 56], hash: "cef7a5012c307536" },
    { from: [33, 33, 1], to: [33, 33], hash: "e896533825a55054" },
    { from: [7, 900, 3], to: [512, 512], hash: "a2dbf3b60f1a008f" },
    { from: [384, 300, 3], to: [512, 400], hash: "a51ee3fdf11119ea" },
  ])("Lanczos: $from to $to is Pillow's, bit for bit", ({ from, to, hash }) => {
    const resized = resizeLanczos(pattern(...from), ...to);
    expect([resized.width, resized.height, resized.channels]).toEqual([...to, from[2]]);
    expect(sha256(resized.data).slice(0, 16)).toBe(hash);
  });

  it("keeps a constant image constant and does not touch its input", () => {
    const image: RawImage = { width: 5, height: 7, channels: 1, data: new Uint8Array(35).fill(255) };
    expect(new Set(resizeBicubic(image, 28, 3).data)).toEqual(new Set([255]));
    expect(image.data).toEqual(new Uint8Array(35).fill(255));
  });

  it("refuses a size that is no positive integer", () => {
    expect(() => resizeBicubic(pattern(2, 2, 1), 0, 2)).toThrow("resize: the new size must be positive integers");
    expect(() => resizeBicubic(pattern(2, 2, 1), 2.5, 2)).toThrow("got 2.5 x 2");
  });
});
