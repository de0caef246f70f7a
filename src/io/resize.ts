/**
 * Pillow's antialiased resizes of 8-bit images, bicubic and Lanczos, bit for bit: two passes with fixed-point weights as in its
 * Resample.c. Each pass rounds to 8 bits, so their order shows: Pillow 13 begins with the columns when the height shrinks
 * by more than twice what the width does; older versions always begin with the rows and differ there by one level.
 */
import type { RawImage } from "../core/records.ts";

/** Fraction bits of a weight: 32, less 8 for the pixel and 2 for negative lobes and overshoot. */
const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

/** A filter's weight by distance in (shrunken) input pixels; 0 from `support` on. */
interface Filter {
  readonly support: number;
  weight(distance: number): number;
}

/** Cubic convolution with a = -0.5. */
const bicubic: Filter = {
  support: 2,
  weight: (distance) => {
    const x = Math.abs(distance);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0;
  },
};

/** A sinc that a wider sinc fades out over three lobes. */
const lanczos: Filter = {
  support: 3,
  weight: (x) => (-3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0),
};

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** Resizes to `width` x `height` as Pillow's BICUBIC; an axis that keeps its size is not touched. */
export function resizeBicubic(image: RawImage, width: number, height: number): RawImage {
  return resize(image, width, height, bicubic);
}

/** Resizes to `width` x `height` as Pillow's LANCZOS; an axis that keeps its size is not touched. */
export function resizeLanczos(image: RawImage, width: number, height: number): RawImage {
  return resize(image, width, height, lanczos);
}

/** The image scaled down, as Pillow's bicubic does, to at most so many pixels; sides keep their ratio but for rounding. */
export function fitPixels(image: RawImage, maxPixels: number): RawImage {
  const { width, height } = image;
  if (width * height <= maxPixels) return image;
  const scale = Math.sqrt(maxPixels / (width * height));
  const [w, h] = [Math.max(1, Math.floor(width * scale)), Math.max(1, Math.floor(height * scale))];
  // A side that is held at 1 leaves less than its share to the other.
  return resizeBicubic(image, Math.min(w, Math.floor(maxPixels / h) || 1), Math.min(h, Math.floor(maxPixels / w) || 1));
}

function resize(image: RawImage, width: number, height: number, filter: Filter): RawImage {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new Error(`resize: the new size must be positive integers, got ${width} x ${height}`);
  }
  const lost = image.height - height;
  const columnsFirst = lost > 0 && lost > 2 * (image.width - width);
  return columnsFirst
    ? resizeRows(resizeColumns(image, height, filter), width, filter)
    : resizeColumns(resizeRows(image, width, filter), height, filter);
}

/** For every output pixel: the first input pixel, how many, and their weights. */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [outputs, stride], fixed point. */
  readonly values: Int32Array;
  readonly stride: number;
}

function computeWeights(inputs: number, outputs: number, filter: Filter): Weights {
  const scale = inputs / outputs;
  const filterScale = Math.max(scale, 1); // shrinking widens the filter: that is the antialiasing
  const support = filter.support * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const values = new Int32Array(outputs * stride);
  const weights = new Float64Array(stride);
  for (let out = 0; out < outputs; out++) {
    const center = (out + 0.5) * scale;
    const from = Math.max(0, Math.trunc(center - support + 0.5));
    const n = Math.min(inputs, Math.trunc(center + support + 0.5)) - from;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      weights[i] = filter.weight((i + from - center + 0.5) * (1 / filterScale));
      sum += weights[i]!;
    }
    for (let i = 0; i < n; i++) {
      const weight = (sum === 0 ? weights[i]! : weights[i]! / sum) * 2 ** PRECISION_BITS;
      values[out * stride + i] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[out] = from;
    count[out] = n;
  }
  return { first, count, values, stride };
}

function resizeRows(image: RawImage, width: number, filter: Filter): RawImage {
  if (width === image.width) return image;
  const { height, channels, data } = image;
  const { first, count, values, stride } = computeWeights(image.width, width, filter);
  const out = new Uint8ClampedArray(width * height * channels);
  let o = 0;
  for (let y = 0; y < height; y++) {
    const row = y * image.width * channels;
    for (let x = 0; x < width; x++) {
      const start = row + first[x]! * channels;
      const n = count[x]!;
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        for (let i = 0; i < n; i++) sum += data[start + c + i * channels]! * values[x * stride + i]!;
        out[o++] = sum >> PRECISION_BITS;
      }
    }
  }
  return { width, height, channels, data: new Uint8Array(out.buffer) };
}

function resizeColumns(image: RawImage, height: number, filter: Filter): RawImage {
  if (height === image.height) return image;
  const { width, channels, data } = image;
  const { first, count, values, stride } = computeWeights(image.height, height, filter);
  const rowLength = width * channels;
  const out = new Uint8ClampedArray(rowLength * height);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let i = 0; i < count[y]!; i++) {
      const weight = values[y * stride + i]!;
      const row = (first[y]! + i) * rowLength;
      for (let j = 0; j < rowLength; j++) sums[j] = sums[j]! + data[row + j]! * weight;
    }
    for (let j = 0; j < rowLength; j++) out[y * rowLength + j] = sums[j]! >> PRECISION_BITS;
  }
  return { width, height, channels, data: new Uint8Array(out.buffer) };
}
