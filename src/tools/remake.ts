/** Images that tools made, made again from the names they have in a record: for people to look at. */
import type { ImageRef, RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { cut } from "./crop.ts";
import type { Box } from "./viewed.ts";
import { windowed } from "./window.ts";

/** The image that a name's image was made of, and how; null for a name of another kind. */
export function madeOf(
  path: string,
): { readonly base: string; readonly what: string; readonly numbers: readonly number[] } | null {
  const [, base, what, list] = /^(.+)#(crop|window)=(-?[\d.]+(?:,-?[\d.]+)*)$/s.exec(path) ?? [];
  return base === undefined ? null : { base, what: what!, numbers: list!.split(",").map(Number) };
}

/** The pixels that a tool made of an image; null where the name does not fit it. DICOM windows are those of 8 bits here. */
export async function remade(path: string, ref: ImageRef): Promise<RawImage | null> {
  const made = madeOf(path);
  if (made === null) return null;
  const shown = ref.pixels ?? (await decodeImage(ref)).image;
  const whole = ref.original ?? shown;
  const { what, numbers } = made;
  if (what === "window") return numbers.length === 2 ? windowed(shown, numbers[0]!, numbers[1]!) : null;
  const [left, top, right, bottom] = numbers as unknown as Box;
  const fits = numbers.length === 4 && numbers.every(Number.isInteger) && left >= 0 && top >= 0;
  return fits && left < right && top < bottom && right <= whole.width && bottom <= whole.height
    ? cut(whole, [left, top, right, bottom])
    : null;
}
