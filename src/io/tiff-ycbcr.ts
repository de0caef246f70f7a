/**
 * TIFF files whose pixels are YCbCr, which libvips gives as they are. Pillow converts them in one of two ways: uncompressed
 * ones by its own tables, compressed ones by libtiff's. JPEG within TIFF, and subsampled colour, come as RGB already.
 */

export type YcbcrKind = "pillow" | "libtiff";

const PHOTOMETRIC = 262;
const COMPRESSION = 259;
const SUBSAMPLING = 530;
const YCBCR = 6;

/** How the file's pixels are to be converted; null where they are not YCbCr, or converted by the decoder. */
export function ycbcrKind(file: Uint8Array): YcbcrKind | null {
  const tags = readTags(file);
  if (tags.get(PHOTOMETRIC)?.[0] !== YCBCR) return null;
  const [compression = 1] = tags.get(COMPRESSION) ?? [];
  const [across = 2, down = 2] = tags.get(SUBSAMPLING) ?? [];
  if (compression === 6 || compression === 7 || across !== 1 || down !== 1) return null;
  return compression === 1 ? "pillow" : "libtiff";
}

/** Y, Cb, Cr to red, green, blue, in place; BT.601 over the full range, in the integers of the two libraries. */
export function ycbcrToRgb(data: Uint8Array, kind: YcbcrKind): void {
  const { redOfCr, greenOfCb, greenOfCr, blueOfCb, bits } = tables[kind];
  for (let i = 0; i + 2 < data.length; i += 3) {
    const [y, cb, cr] = [data[i]!, data[i + 1]!, data[i + 2]!];
    data[i] = clamp(y + (redOfCr[cr]! >> bits));
    data[i + 1] = clamp(y + ((greenOfCb[cb]! + greenOfCr[cr]!) >> bits));
    data[i + 2] = clamp(y + (blueOfCb[cb]! >> bits));
  }
}

const clamp = (value: number) => Math.min(255, Math.max(0, value));

/** Pillow rounds each table's entry, libtiff its factors and the sum. */
const tables = { pillow: pillowTables(), libtiff: libtiffTables() };

function pillowTables() {
  const bits = 6;
  const of = (factor: number) => table((x) => Math.trunc(factor * x * 2 ** bits + 0.5));
  return { redOfCr: of(1.402), greenOfCb: of(-0.34414), greenOfCr: of(-0.71414), blueOfCb: of(1.772), bits };
}

function libtiffTables() {
  const bits = 16;
  const half = 2 ** (bits - 1);
  const fixed = (factor: number) => Math.trunc(factor * 2 ** bits + 0.5);
  const [red, green, blue] = [0.299, 0.587, 0.114] as const;
  const [ofCr, ofCb] = [2 - 2 * red, 2 - 2 * blue];
  return {
    redOfCr: table((x) => fixed(ofCr) * x + half),
    greenOfCr: table((x) => -fixed((red * ofCr) / green) * x),
    greenOfCb: table((x) => -fixed((blue * ofCb) / green) * x + half),
    blueOfCb: table((x) => fixed(ofCb) * x + half),
    bits,
  };
}

function table(entry: (x: number) => number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, i) => entry(i - 128));
}

/** The numbers of the first directory's tags, as far as they stand within the file; 16 and 32 bits, classic and big TIFF. */
function readTags(file: Uint8Array): ReadonlyMap<number, readonly number[]> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tags = new Map<number, readonly number[]>();
  try {
    const little = file[0] === 0x49;
    const big = view.getUint16(2, little) === 43;
    const word = (at: number) => (big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
    const directory = word(big ? 8 : 4);
    const count = big ? word(directory) : view.getUint16(directory, little);
    for (let i = 0; i < count; i++) {
      const at = directory + (big ? 8 + 20 * i : 2 + 12 * i);
      const isShort = view.getUint16(at + 2, little) === 3;
      const value = at + (big ? 12 : 8);
      const numbers = isShort
        ? [view.getUint16(value, little), view.getUint16(value + 2, little)]
        : [view.getUint32(value, little)];
      tags.set(view.getUint16(at, little), numbers);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file is cut short: its decoder says so
  }
  return tags;
}
