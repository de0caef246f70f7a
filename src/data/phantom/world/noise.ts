/** Image noise from tables computed once from a fixed key, when first needed: a lookup per pixel instead of a random draw. */
import { once } from "../../../core/once.ts";
import { normal, randomKey, uniform } from "../../../core/random.ts";

const SIDE = 256;
const MASK = SIDE * SIDE - 1;

/** Standard normal values. */
const white = once(() => {
  const key = randomKey(1, "noise");
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => normal(key, i));
});

/** Smooth heights about in [-1, 1], with a period of 16 pixels between hills, tiling seamlessly every 256 pixels. */
const cloud = once(() => clouds(16));

/**
 * Adds normal noise; `grain` above 0 mixes in the left neighbour, since film and reconstruction correlate neighbours.
 */
export function addNoise(values: Float32Array, start: number, deviation: number, grain = 0): void {
  const scale = deviation / Math.hypot(1, grain);
  for (let i = 0; i < values.length; i++) {
    values[i]! += scale * (whiteAt(start, i) + grain * whiteAt(start, i - 1));
  }
}

/** Rician noise: the magnitude of a signal with normal noise in both channels (Gudbjartsson 1995). */
export function addRicianNoise(values: Float32Array, start: number, deviation: number): void {
  for (let i = 0; i < values.length; i++) {
    const real = values[i]! + deviation * whiteAt(start, i);
    const imaginary = deviation * whiteAt(start + 30011, i);
    values[i] = Math.sqrt(real * real + imaginary * imaginary);
  }
}

/** Smooth noise at a position of the table, which repeats every 256 in both directions. */
export function cloudAt(x: number, y: number): number {
  return cloud()[((y & (SIDE - 1)) << 8) | (x & (SIDE - 1))]!;
}

/** Position in the table; it jumps occasionally, so that no pattern repeats within an image of 224 pixels. */
function whiteAt(start: number, i: number): number {
  return white()[(start + i + (i >> 11) * 7919) & MASK]!;
}

function clouds(period: number): Float32Array {
  const cells = SIDE / period;
  const key = randomKey(2, "noise");
  const height = (column: number, row: number) => 2 * uniform(key, (row % cells) * cells + (column % cells)) - 1;
  const ease = (t: number) => t * t * (3 - 2 * t);
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const x = (i % SIDE) / period;
    const y = Math.floor(i / SIDE) / period;
    const [c, r] = [Math.floor(x), Math.floor(y)];
    const [fx, fy] = [ease(x - c), ease(y - r)];
    const top = height(c, r) * (1 - fx) + height(c + 1, r) * fx;
    const bottom = height(c, r + 1) * (1 - fx) + height(c + 1, r + 1) * fx;
    return top * (1 - fy) + bottom * fy;
  });
}
