/** Window and level on stored pixel values: what lies in the window becomes black to white, the rest is cut. */
import type { Pixels } from "../source.ts";

/** Values from level − width / 2 to level + width / 2 are shown, as DICOM's linear function has it, simplified. */
export interface Window {
  readonly width: number;
  readonly level: number;
}

export function fullWindow({ bits }: Pixels): Window {
  return bits === 16 ? { width: 65_536, level: 32_768 } : { width: 256, level: 128 };
}

/** From the 2 % to the 98 % quantile of the values. */
export function autoWindow(pixels: Pixels, tail = 0.02): Window {
  const most = pixels.bits === 16 ? 65_536 : 256;
  const counts = new Uint32Array(most);
  for (const value of pixels.data) counts[value]!++;
  const at = (share: number) => {
    let seen = 0;
    for (let value = 0; value < most; value++) {
      seen += counts[value]!;
      if (seen >= share * pixels.data.length) return value;
    }
    return most - 1;
  };
  const [low, high] = [at(tail), at(1 - tail)];
  return { width: Math.max(1, high - low), level: Math.round((low + high) / 2) };
}

/**
 * Windows to choose by a digit. Hounsfield presets are not among them: a PNG does not say which of its values is water.
 */
export function presets(pixels: Pixels) {
  const { low, high } = rangeOf(pixels);
  const between = (from: number, to: number) => ({
    width: Math.max(1, Math.round(to - from)),
    level: Math.round((from + to) / 2),
  });
  return [
    { name: "full range", window: () => fullWindow(pixels) },
    { name: "2–98 %", window: () => autoWindow(pixels) },
    { name: "dark half", window: () => between(low, (low + high) / 2) },
    { name: "bright half", window: () => between((low + high) / 2, high) },
  ];
}

/** The 8-bit values of a window, by stored value. */
export function lookupTable(bits: 8 | 16, { width, level }: Window, invert: boolean): Uint8ClampedArray {
  const table = new Uint8ClampedArray(bits === 16 ? 65_536 : 256);
  const low = level - width / 2;
  for (let value = 0; value < table.length; value++) {
    const shown = (255 * (value - low)) / width;
    table[value] = invert ? 255 - shown : shown;
  }
  return table;
}

/** "width,level" of an address; null for anything else. */
export function parseWindow(text: string | undefined): Window | null {
  const [width, level] = (text ?? "").split(",").map(Number);
  return width! > 0 && Number.isFinite(level) ? { width: width!, level: level! } : null;
}

/** Whole numbers within what the values can be. */
export function allowedWindow({ bits }: Pixels, { width, level }: Window): Window {
  const most = bits === 16 ? 65_535 : 255;
  return { width: Math.round(Math.min(most + 1, Math.max(1, width))), level: Math.round(Math.min(most, Math.max(0, level))) };
}

export function histogramOf(pixels: Pixels, bins: number) {
  const { low, high } = rangeOf(pixels);
  const counts = new Array<number>(bins).fill(0);
  const width = (high - low + 1) / bins;
  for (let i = 0; i < pixels.data.length; i += 3) counts[Math.floor((pixels.data[i]! - low) / width)]!++;
  return { counts, low, high };
}

function rangeOf({ data }: Pixels): { readonly low: number; readonly high: number } {
  let [low, high] = [data[0] ?? 0, data[0] ?? 0];
  for (const value of data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}
