/** A site's scanner style: what it does to a finished image. Site 1 leaves it as it is. */
import { fold, integer, type RandomKey } from "../../../../core/random.ts";
import type { RawImage } from "../../../../core/records.ts";
import { addNoise } from "../noise.ts";

export const SITES = [1, 2, 3, 4] as const;
export type Site = (typeof SITES)[number];

interface Style {
  /** Passes of a 3 x 3 binomial filter at 112 pixels; more on larger images. */
  readonly blur: number;
  /** Standard deviation of added noise at 112 pixels, in grey values; more on larger images, which average to it. */
  readonly noise: number;
  /** Contrast about mid-grey, and brightness in grey values. */
  readonly gain: number;
  readonly shift: number;
  /** A bright bar at the lower edge, as a burnt-in scale. */
  readonly marker: boolean;
}

const styles: Readonly<Record<Site, Style | null>> = {
  1: null,
  2: { blur: 2, noise: 0, gain: 0.85, shift: 12, marker: false },
  3: { blur: 0, noise: 14, gain: 1.1, shift: -10, marker: true },
  4: { blur: 1, noise: 7, gain: 1.35, shift: 18, marker: true },
};

/** The image as the site's scanner gives it; a new image, the given one is left alone. */
export function atSite(image: RawImage, site: Site, key: RandomKey): RawImage {
  const style = styles[site];
  if (style === null) return image;
  const { width: size } = image;
  let values = Float32Array.from(image.data);
  const passes = Math.round(style.blur * (size / 112) ** 2);
  for (let pass = 0; pass < passes; pass++) values = blurred(values, size);
  for (let i = 0; i < values.length; i++) values[i] = (values[i]! - 127.5) * style.gain + 127.5 + style.shift;
  if (style.noise > 0) addNoise(values, integer(fold(key, "site"), 0, 65536), (style.noise * size) / 112);
  if (style.marker) bar(values, size);
  const data = new Uint8Array(values.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.max(0, Math.min(255, values[i]!));
  return { ...image, data };
}

/** One pass of the weights 1 2 1 in both directions; edges repeat. */
function blurred(values: Float32Array<ArrayBuffer>, size: number): Float32Array<ArrayBuffer> {
  const across = new Float32Array(values.length);
  const out = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const column = at % size;
    const left = values[column === 0 ? at : at - 1]!;
    const right = values[column === size - 1 ? at : at + 1]!;
    across[at] = (left + 2 * values[at]! + right) / 4;
  }
  for (let at = 0; at < values.length; at++) {
    const above = across[at < size ? at : at - size]!;
    const below = across[at + size >= values.length ? at : at + size]!;
    out[at] = (above + 2 * across[at]! + below) / 4;
  }
  return out;
}

function bar(values: Float32Array, size: number): void {
  const unit = size / 112;
  for (let row = Math.round(106 * unit); row < Math.round(108 * unit); row++) {
    for (let column = Math.round(70 * unit); column < Math.round(104 * unit); column++)
      values[row * size + column] = 240;
  }
}
