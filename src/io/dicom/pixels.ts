/** Stored samples to 8-bit grey or RGB. */
import type { RawImage } from "../../core/records.ts";
import { DicomFault } from "./fault.ts";
import type { DicomHeader, Lut } from "./header.ts";
import type { Stored } from "./stored.ts";

/** Greys by the table of `greyTable`. */
export function greyPixels(
  { samples }: Stored,
  { width, height, ...header }: DicomHeader,
  table: Uint8Array,
): RawImage {
  const { shift, mask } = placeOf(header);
  const data = new Uint8Array(samples.length);
  for (let i = 0; i < data.length; i++) data[i] = table[(samples[i]! >> shift) & mask]!;
  return { width, height, channels: 1, data };
}

/** The numbers that the samples stand for, below 0 too where the file says so. */
export function storedNumbers({ samples }: Stored, header: DicomHeader): Int32Array {
  const { shift, mask } = placeOf(header);
  const sign = header.signed ? 2 ** (header.bitsStored - 1) : 0;
  return Int32Array.from(samples, (sample) => (((sample >> shift) & mask) ^ sign) - sign);
}

/** Colours of a palette: red, green and blue of every index, of 16 bits the upper 8. */
export function palettePixels(
  { samples }: Stored,
  { width, height, ...header }: DicomHeader,
  luts: readonly [Lut, Lut, Lut],
): RawImage {
  const { shift, mask } = placeOf(header);
  const tables = luts.map(({ first, bits, entries }) =>
    Uint8Array.from({ length: mask + 1 }, (_, value) => {
      const entry = entries[Math.min(entries.length - 1, Math.max(0, value - first))]!;
      return bits > 8 ? entry >> (bits - 8) : entry;
    }),
  );
  const data = new Uint8Array(3 * samples.length);
  for (let i = 0; i < samples.length; i++) {
    const index = (samples[i]! >> shift) & mask;
    for (let c = 0; c < 3; c++) data[3 * i + c] = tables[c]![index]!;
  }
  return { width, height, channels: 3, data };
}

/** RGB and YCbCr; of more than 8 bits the upper 8. */
export function colourPixels({ samples, isRgb }: Stored, header: DicomHeader): RawImage {
  const { width, height, bitsStored, photometric } = header;
  const { shift, mask } = placeOf(header);
  const down = Math.max(0, bitsStored - 8);
  const data = new Uint8Array(samples.length);
  for (let i = 0; i < data.length; i++) data[i] = ((samples[i]! >> shift) & mask) >> down;
  if (!isRgb && photometric.startsWith("YBR_FULL")) fullToRgb(data);
  else if (!isRgb && photometric !== "RGB") {
    throw new DicomFault(
      `is a DICOM file of ${photometric === "" ? "unknown" : photometric} colours, which are not read`,
    );
  }
  return { width, height, channels: 3, data };
}

/** Where a sample's stored bits lie. */
function placeOf({
  bitsAllocated,
  bitsStored,
  highBit,
}: Pick<DicomHeader, "bitsAllocated" | "bitsStored" | "highBit">) {
  const shift = highBit + 1 - bitsStored;
  if (bitsStored < 1 || shift < 0 || highBit >= Math.max(bitsAllocated, bitsStored)) {
    throw new DicomFault(`is a DICOM file with ${bitsStored} bits below bit ${highBit + 1} of ${bitsAllocated}`);
  }
  return { shift, mask: 2 ** bitsStored - 1 };
}

/** BT.601 over the full range (PS3.3 C.7.6.3.1.2), in place. */
function fullToRgb(data: Uint8Array): void {
  const clamp = (value: number) => Math.min(255, Math.max(0, Math.floor(value + 0.5)));
  for (let i = 0; i + 2 < data.length; i += 3) {
    const [y, cb, cr] = [data[i]!, data[i + 1]! - 128, data[i + 2]! - 128];
    data[i] = clamp(y + 1.402 * cr);
    data[i + 1] = clamp(y - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587);
    data[i + 2] = clamp(y + 1.772 * cb);
  }
}
