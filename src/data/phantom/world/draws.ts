/** Random numbers of one drawing, in the order of the calls; all derive from the drawing's key. */
import { integer, type RandomKey, uniform } from "../../../core/random.ts";

export interface Draws {
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Uniform in [-range, range). */
  spread(range: number): number;
  /** Amplitudes of six harmonics of a shape, none larger than `range`. */
  wave(range: number): readonly number[];
  /** An integer in [0, below). */
  below(below: number): number;
  /** Where the noise starts in its table: what two images of one patient do not share. */
  grain(): number;
}

/** The draws of a key; noise comes from `visit` where the key belongs to a patient who is seen several times. */
export function draws(key: RandomKey, visit: RandomKey = key): Draws {
  let counter = 0;
  const between = (low: number, high: number) => low + (high - low) * uniform(key, counter++);
  const spread = (range: number) => between(-range, range);
  return {
    between,
    spread,
    wave: (range) => [range, range, range, range, range / 2, range / 2].map(spread),
    below: (below) => integer(key, counter++, below),
    grain: () => integer(visit, counter++, 65536),
  };
}
