/** Random views of an image for contrastive learning: shifted, scaled, of other intensity, noisy; never mirrored, since sides mean something. */
import { type PixelLayout, pixelsOf, withPixelChange } from "../core/pixels.ts";
import { fold, normal, type RandomKey, uniform } from "../core/random.ts";
import type { ImageFeatures } from "../core/records.ts";

/** Largest changes; sizes as shares of the image's sides, intensity and noise as shares of the range of pixels (ours). */
export interface ViewStrength {
  readonly shift: number;
  readonly scale: number;
  readonly intensity: number;
  readonly noise: number;
}

/** The view that the key draws; strengths of 0 leave every bit. */
export function viewOf(
  image: ImageFeatures,
  layout: PixelLayout,
  o: ViewStrength,
  key: RandomKey,
  tag: string,
): ImageFeatures {
  const { width, height } = layout;
  const pixels = pixelsOf(image.patches, layout);
  const spread = (at: number, most: number) => most * (2 * uniform(key, at) - 1);
  const [dx, dy] = [spread(0, o.shift) * width, spread(1, o.shift) * height];
  const zoom = 1 + spread(2, o.scale);
  const [contrast, light] = [1 + spread(3, o.intensity), spread(4, o.intensity)];
  const grain = fold(key, "noise");
  const moved = o.shift > 0 || o.scale > 0;
  const change = new Float32Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const noise = o.noise === 0 ? 0 : o.noise * normal(grain, at);
      const source = [(x - width / 2) / zoom + width / 2 - dx, (y - height / 2) / zoom + height / 2 - dy] as const;
      for (let channel = 0; channel < 3; channel++) {
        const old = pixels[3 * at + channel]!;
        const value = moved ? bilinear(pixels, layout, source, channel) : old;
        change[3 * at + channel] = (value - 0.5) * (contrast - 1) + (value - old) + light + noise;
      }
    }
  }
  return withPixelChange(image, change, layout, tag);
}

/** The value between pixels; beyond the image that of its edge. */
function bilinear(
  pixels: Float32Array,
  { width, height }: PixelLayout,
  [x, y]: readonly [number, number],
  channel: number,
): number {
  const [u, v] = [Math.max(0, Math.min(width - 1, x)), Math.max(0, Math.min(height - 1, y))];
  const [left, top] = [Math.floor(u), Math.floor(v)];
  const [right, below] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)];
  const at = (column: number, row: number) => pixels[3 * (row * width + column) + channel]!;
  const [upper, lower] = [top, below].map((row) => at(left, row) + (u - left) * (at(right, row) - at(left, row)));
  return upper! + (v - top) * (lower! - upper!);
}
