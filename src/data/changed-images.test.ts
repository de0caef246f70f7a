import { expect, test } from "vitest";
import type { ImageRef, RawImage } from "../core/records.ts";
import { blankImage, contrastedImage, mirroredImage, noisyImage } from "./changed-images.ts";

const image = (width: number, height: number, data: readonly number[]): ImageRef => ({
  path: `${width}x${height}`,
  pixels: { width, height, channels: 3, data: Uint8Array.from(data) },
});
const small = image(2, 2, [10, 20, 30, 20, 20, 30, 0, 0, 0, 30, 40, 61]);
const pixels = async (changed: Promise<ImageRef>): Promise<RawImage> => (await changed).pixels!;

test("a blank image has the mean colour of each channel, in the same size", async () => {
  const mean = [15, 20, 30];
  expect(await pixels(blankImage(small))).toEqual({
    width: 2,
    height: 2,
    channels: 3,
    data: Uint8Array.from([...mean, ...mean, ...mean, ...mean]),
  });
});

test("a mirror exchanges columns, and twice gives the image back", async () => {
  const mirrored = await mirroredImage(small);
  expect([...mirrored.pixels!.data]).toEqual([20, 20, 30, 10, 20, 30, 30, 40, 61, 0, 0, 0]);
  expect((await pixels(mirroredImage(mirrored))).data).toEqual(small.pixels!.data);
});

test("noise has the level asked for, is the same for the same seed, and none at level 0", async () => {
  const grey = image(64, 64, new Array(64 * 64 * 3).fill(128));
  const { data } = await pixels(noisyImage(0.1, 3)(grey));
  const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - 128) ** 2, 0) / data.length);
  expect(deviation / 255).toBeCloseTo(0.1, 2);
  expect(data[0]).toBe(data[2]);
  expect((await pixels(noisyImage(0.1, 3)(grey))).data).toEqual(data);
  expect((await pixels(noisyImage(0.1, 4)(grey))).data).not.toEqual(data);
  expect((await pixels(noisyImage(0, 3)(grey))).data).toEqual(grey.pixels!.data);
});

test("contrast moves values about the mean, factor 1 leaves them, factor 0 blanks", async () => {
  expect((await pixels(contrastedImage(1)(small))).data).toEqual(small.pixels!.data);
  expect(await pixels(contrastedImage(0)(small))).toEqual(await pixels(blankImage(small)));
  expect([...(await pixels(contrastedImage(2)(small))).data.slice(0, 3)]).toEqual([5, 20, 30]);
});
