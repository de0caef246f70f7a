/** The tables of windowed attention: every patch of a batch has one place in one window. */
import type { Params } from "../../compiler/tensor.ts";
import { float32, int32, type TensorData } from "../../core/tensor-data.ts";
import { EXCLUDED } from "../../nn/sampling.ts";

/**
 * Feeds of a windowed block for concatenated images; `windowOf` has the window of each patch, numbered from 0 in each
 * image. Windows are padded to the largest: places = patches of the largest window.
 */
export function windowFeeds(windowOf: readonly Int32Array[]): Params<TensorData> {
  const windows: number[][] = [];
  let flat = 0;
  for (const own of windowOf) {
    const first = windows.length;
    for (const window of own) {
      while (windows.length <= first + window) windows.push([]);
      windows[first + window]!.push(flat++);
    }
  }
  const places = Math.max(...windows.map((members) => members.length));
  const index = new Int32Array(windows.length * places).fill(-1);
  const bias = new Float32Array(windows.length * places * places).fill(EXCLUDED);
  const place = new Int32Array(flat);
  for (const [w, members] of windows.entries()) {
    for (const [p, patch] of members.entries()) {
      index[w * places + p] = patch;
      place[patch] = w * places + p;
    }
    // Unused places attend to the window too: a softmax over nothing would be NaN.
    for (let p = 0; p < places; p++)
      bias.fill(0, (w * places + p) * places, (w * places + p) * places + members.length);
  }
  return {
    windowIndex: int32([index.length], index),
    windowBias: float32([windows.length, places, places], bias),
    windowPlace: int32([flat], place),
  };
}
