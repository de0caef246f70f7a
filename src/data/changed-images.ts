/** Images changed on purpose, as pixels: blank, mirrored, noisy, of another contrast; the size never changes. */
import { normal, randomKey, uint32 } from "../core/random.ts";
import type { ImageRef, RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";

/** Makes one image of another; the same image always gives the same. */
export type ImageChange = (image: ImageRef) => Promise<ImageRef>;

/** Every pixel has the mean colour of the image. */
export const blankImage: ImageChange = (image) =>
  changed(image, "blank", ({ channels, data }) => {
    const mean = channelMeans(data, channels);
    return data.map((_, i) => Math.round(mean[i % channels]!));
  });

/** Left and right exchanged. */
export const mirroredImage: ImageChange = (image) =>
  changed(image, "mirrored", ({ width, channels, data }) => {
    const line = width * channels;
    return data.map((_, i) => {
      const [row, column, channel] = [Math.floor(i / line), Math.floor((i % line) / channels), i % channels];
      return data[row * line + (width - 1 - column) * channels + channel]!;
    });
  });

/** Adds Gaussian noise, the same to all channels of a pixel; `level` is its standard deviation as a share of 255. */
export function noisyImage(level: number, seed: number): ImageChange {
  return (image) =>
    changed(image, `noise ${level}`, ({ channels, data }) => {
      const key = randomKey(seed, "noise", image.path);
      return data.map((value, i) => clamp(value + 255 * level * normal(key, Math.floor(i / channels))));
    });
}

/** Adds `size` or takes it away, of 255, at random; the same to all channels of a pixel. */
export function randomSigns(size: number, seed: number): ImageChange {
  return (image) =>
    changed(image, `signs ${size}`, ({ channels, data }) => {
      const key = randomKey(seed, "signs", image.path);
      return data.map((value, i) => clamp(value + (uint32(key, Math.floor(i / channels)) & 1 ? size : -size)));
    });
}

/** Every value's distance from the mean of its channel, times `factor`. */
export function contrastedImage(factor: number): ImageChange {
  return (image) =>
    changed(image, `contrast ${factor}`, ({ channels, data }) => {
      const mean = channelMeans(data, channels);
      return data.map((value, i) => clamp(mean[i % channels]! + factor * (value - mean[i % channels]!)));
    });
}

async function changed(ref: ImageRef, what: string, change: (image: RawImage) => Uint8Array): Promise<ImageRef> {
  const { image } = await decodeImage(ref);
  return { path: `${ref.path} (${what})`, pixels: { ...image, data: change(image) } };
}

function channelMeans(data: Uint8Array, channels: number): readonly number[] {
  const sums = new Array<number>(channels).fill(0);
  for (const [i, value] of data.entries()) sums[i % channels]! += value;
  return sums.map((sum) => (sum * channels) / data.length);
}

function clamp(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)));
}
