/** Views of a larger original: the image that the model sees, made of the one that tools look into. */
import type { RawImage } from "../../../../core/records.ts";

/** Side length of an original in pixels. */
export const ORIGINAL_SIZE = 448;

/** The image at a smaller size that divides its own: the mean of each square of pixels. */
export function shrunk({ width, height, data }: RawImage, size: number): RawImage {
  const factor = width / size;
  const shrunken = new Uint8Array(size * (height / factor));
  for (let row = 0; row < height / factor; row++) {
    for (let column = 0; column < size; column++) {
      let sum = 0;
      for (let y = row * factor; y < (row + 1) * factor; y++) {
        for (let x = column * factor; x < (column + 1) * factor; x++) sum += data[y * width + x]!;
      }
      shrunken[row * size + column] = sum / (factor * factor) + 0.5;
    }
  }
  return { width: size, height: height / factor, channels: 1, data: shrunken };
}
