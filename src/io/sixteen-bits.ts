/** 16-bit images: how much of their range they use, and their values within a range as 8 bits. */
import sharp, { type Sharp } from "sharp";
import type { ImageRef } from "../core/records.ts";

/** The lowest and the highest value of a 16-bit image, alpha aside; null for 8 bits, and for what cannot be read. */
export async function sixteenBitRange({ path, bytes, pixels }: ImageRef): Promise<readonly [number, number] | null> {
  if (pixels !== undefined) return null;
  const input = sharp(bytes ?? path, { limitInputPixels: false });
  const header = await input.metadata().catch(() => null);
  if (header?.depth !== "ushort") return null;
  const stats = await input.stats().catch(() => null);
  if (stats === null) return null;
  const colours = stats.channels.slice(0, header.hasAlpha ? -1 : undefined);
  return [Math.min(...colours.map(({ min }) => min)), Math.max(...colours.map(({ max }) => max))];
}

/** The pixels with `low` as 0 and `high` as 255; what lies outside is cut. `space` is the input's. */
export async function windowed(input: Sharp, space: string, [low, high]: readonly [number, number]) {
  const raw = input.removeAlpha().toColourspace(space).raw({ depth: "ushort" });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const values = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  const scaled = Uint8Array.from(values, (value) => {
    return Math.round((255 * (Math.min(high, Math.max(low, value)) - low)) / (high - low));
  });
  return { data: scaled, info };
}
