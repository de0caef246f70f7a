/** Window and level on stored pixel values, in the image's units: what lies in the window becomes black to white, the rest is cut. */
import { windowPresets } from "../../src/core/windows.ts";
import type { Pixels } from "../source.ts";

/** Values from level − width / 2 to level + width / 2 are shown, as DICOM's linear function has it, simplified. */
export interface Window {
  readonly width: number;
  readonly level: number;
}

/** The window that an image is first shown in: its file's, else for deep values from the 2 % to the 98 % quantile. */
export function firstWindow(pixels: Pixels): Window {
  if (pixels.window !== undefined) return { width: pixels.window.width, level: pixels.window.center };
  return pixels.bits === 16 ? autoWindow(pixels) : fullWindow(pixels);
}

/** Of values without units all that their bits can hold, as a model sees them; of others what the image has. */
function fullWindow(pixels: Pixels): Window {
  if (pixels.slope !== undefined) return between(pixels, rangeOf(pixels));
  return pixels.bits === 16 ? { width: 65_536, level: 32_768 } : { width: 256, level: 128 };
}

/** Between two quantiles of the values, given as shares of the pixels; what lies at the very bottom, mostly ground, may be left out. */
function shareWindow(pixels: Pixels, [from, to]: readonly [number, number], o = { ground: true }): Window {
  const counts = new Uint32Array(pixels.bits === 16 ? 65_536 : 256);
  for (const value of pixels.data) counts[value]!++;
  const least = o.ground ? -1 : counts.findIndex((count) => count > 0);
  if (least >= 0 && counts[least]! < pixels.data.length) counts[least] = 0;
  const count = counts.reduce((sum, one) => sum + one, 0);
  const at = (share: number) => {
    let [seen, value] = [counts[0]!, 0];
    while (seen < Math.max(1, share * count)) seen += counts[++value]!;
    return value;
  };
  return between(pixels, [inUnits(pixels, at(from)), inUnits(pixels, at(to))]);
}

const autoWindow = (pixels: Pixels) => shareWindow(pixels, [0.02, 0.98]);

/** Names of modalities as DICOM and data sets write them, each with shares of the pixels, the ground left out, from dark to bright. Ours. */
const byModality: readonly (readonly [names: RegExp, parts: readonly (readonly [name: string, from: number, to: number])[]])[] = [
  [
    /^(mri?|magnetic resonance.*)$/i,
    [
      ["soft tissue", 0.25, 0.98],
      ["bright fluid", 0.6, 0.999],
      ["dark structures", 0, 0.6],
    ],
  ],
  [
    /^(cr|dx|rg|rf|xa|x-?ray.*|.*radiograph.*)$/i,
    [
      ["lung fields", 0.02, 0.6],
      ["bone and mediastinum", 0.4, 0.995],
    ],
  ],
  [
    /^(mg|mammo.*)$/i,
    [
      ["dense tissue", 0.5, 0.999],
      ["fat and skin", 0, 0.6],
    ],
  ],
  [
    /^(us|ultraso.*|sonogra.*)$/i,
    [
      ["fluid", 0, 0.5],
      ["bright echoes", 0.5, 0.999],
    ],
  ],
  [
    /^(pt|pet.*|nm|spect|scintigra.*)$/i,
    [
      ["low uptake", 0, 0.9],
      ["high uptake", 0.8, 0.9999],
    ],
  ],
];

/** The presets of CT in the order of OHIF's digits (soft tissue, lung, liver, bone, brain), then the others. */
const ofCt = ["abdomen", "lung", "liver", "bone", "brain", "mediastinum", "subdural", "stroke"] as const;

/**
 * Windows to choose by a digit. Values of CT in Hounsfield units have its presets. Values of other modalities have no common
 * scale, so theirs are parts of what the image itself has; without a modality, its halves.
 */
export function presets(pixels: Pixels, modality = pixels.modality ?? "") {
  const own = pixels.window === undefined ? [] : [{ name: "as its file says", window: firstWindow(pixels) }];
  const auto = { name: "2–98 %", window: autoWindow(pixels) };
  const full = { name: "full range", window: fullWindow(pixels) };
  if (modality.toUpperCase() === "CT" && pixels.slope !== undefined) {
    const named = ofCt.map((name) => ({ name, window: { width: windowPresets[name].width, level: windowPresets[name].center } }));
    return [...named, auto, full, ...own];
  }
  const parts = pixels.channels === 3 ? [] : byModality.find(([names]) => names.test(modality.trim()))?.[1];
  if (parts === undefined) {
    const [low, high] = rangeOf(pixels);
    const halves = [
      { name: "dark half", window: between(pixels, [low, (low + high) / 2]) },
      { name: "bright half", window: between(pixels, [(low + high) / 2, high]) },
    ];
    return [full, auto, ...halves, ...own];
  }
  const named = parts.map(([name, from, to]) => {
    const shares = pixels.inverse ? ([1 - to, 1 - from] as const) : ([from, to] as const);
    return { name, window: shareWindow(pixels, shares, { ground: false }) };
  });
  return [full, auto, ...named, ...own];
}

/** The 8-bit values of a window, by stored value. */
export function lookupTable(pixels: Pixels, { width, level }: Window, invert: boolean): Uint8ClampedArray {
  const table = new Uint8ClampedArray(pixels.bits === 16 ? 65_536 : 256);
  const isInverse = invert !== (pixels.inverse ?? false);
  const { slope = 1, intercept = 0 } = pixels;
  const low = level - width / 2;
  for (let value = 0; value < table.length; value++) {
    const shown = (255 * (slope * value + intercept - low)) / width;
    table[value] = isInverse ? 255 - shown : shown;
  }
  return table;
}

/** "width,level" of an address; null for anything else. */
export function parseWindow(text: string | undefined): Window | null {
  const [width, level] = (text ?? "").split(",").map(Number);
  return width! > 0 && Number.isFinite(level) ? { width: width!, level: level! } : null;
}

/** What windows change by: 1, of values in finer steps a thousandth of what the image has. */
export function grainOf(pixels: Pixels): number {
  if ((pixels.slope ?? 1) >= 1) return 1;
  const [low, high] = rangeOf(pixels);
  return Math.min(1, 10 ** Math.floor(Math.log10((high - low || 1) / 1000)));
}

/** In whole grains; values without units stay within what their bits can hold. */
export function allowedWindow(pixels: Pixels, { width, level }: Window, grain = grainOf(pixels)): Window {
  const most = pixels.bits === 16 ? 65_535 : 255;
  const cut = (value: number, least: number, most: number) => (pixels.slope === undefined ? Math.min(most, Math.max(least, value)) : value);
  const whole = (value: number) => Number((Math.round(value / grain) * grain).toPrecision(8));
  return { width: Math.max(grain, whole(cut(width, 1, most + 1))), level: whole(cut(level, 0, most)) };
}

/** How many values lie in each of equal parts of the range. */
export function histogramOf(pixels: Pixels, bins: number) {
  const [low, high] = rangeOf(pixels);
  const counts = new Array<number>(bins).fill(0);
  const bin = (value: number) => Math.min(bins - 1, Math.floor((bins * (inUnits(pixels, value) - low)) / (high - low || 1)));
  for (let i = 0; i < pixels.data.length; i += 3) counts[bin(pixels.data[i]!)]!++;
  return { counts, low, high };
}

const ranges = new WeakMap<Pixels, readonly [low: number, high: number]>();

/** The least and the greatest value, in units; looked for once. */
export function rangeOf(pixels: Pixels): readonly [low: number, high: number] {
  const known = ranges.get(pixels);
  if (known !== undefined) return known;
  let [low, high] = [pixels.data[0] ?? 0, pixels.data[0] ?? 0];
  for (const value of pixels.data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const ends = [inUnits(pixels, low), inUnits(pixels, high)];
  const range = [Math.min(...ends), Math.max(...ends)] as const;
  ranges.set(pixels, range);
  return range;
}

function inUnits({ slope = 1, intercept = 0 }: Pixels, stored: number): number {
  return slope * stored + intercept;
}

function between(pixels: Pixels, [from, to]: readonly [number, number]): Window {
  return allowedWindow(pixels, { width: Math.abs(to - from), level: (from + to) / 2 }, pixels.slope === undefined ? 1 : undefined);
}
