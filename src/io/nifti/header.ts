/**
 * The header of a NIfTI file (NIfTI-1 and NIfTI-2, nifti.nimh.nih.gov): the numbers that say where values lie and how they
 * lie in the patient. Its free texts, which may name one, are never read.
 */
import { constants, gunzipSync } from "node:zlib";
import { UserError } from "../../core/errors.ts";
import { axesOf, type SliceAxes, type Vector } from "./axes.ts";
import { voxelTypes } from "./voxels.ts";

export interface NiftiHeader {
  /** Voxels along the file's own axes, the first of which runs fastest. */
  readonly sizes: Vector;
  readonly axes: SliceAxes;
  readonly littleEndian: boolean;
  /** A key of voxelTypes. */
  readonly datatype: number;
  /** Bytes before the first voxel, and up to the end of the last. */
  readonly offset: number;
  readonly end: number;
  /** value = slope * stored + intercept. */
  readonly slope: number;
  readonly intercept: number;
  /** What the file says is shown from black to white, in values; null where it says nothing. */
  readonly shown: readonly [low: number, high: number] | null;
}

/** Where the numbers of a version stand. */
interface Layout {
  readonly dim: number;
  readonly datatype: number;
  readonly pixdim: number;
  readonly offset: number;
  readonly slope: number;
  readonly shown: number;
  readonly formCodes: number;
  readonly quaternion: number;
  readonly affine: number;
}

/** By the size of the header; sizes and offsets are of 16 bits and 32-bit floats in the first, of 64 bits in the second. */
const layouts: Readonly<Record<number, Layout>> = {
  348: {
    ...{ dim: 40, datatype: 70, pixdim: 76, offset: 108, slope: 112, shown: 124 },
    ...{ formCodes: 252, quaternion: 256, affine: 280 },
  },
  540: {
    ...{ dim: 16, datatype: 12, pixdim: 104, offset: 168, slope: 176, shown: 192 },
    ...{ formCodes: 344, quaternion: 352, affine: 400 },
  },
};

/** Larger volumes are refused before they are decompressed. */
const MAX_VOLUME_BYTES = 1_000_000_000;
/** Holds the header, however well it was compressed. */
const COMPRESSED_HEAD = 4096;
const DAMAGED = "is a damaged NIfTI file: replace it";

/** Whether these are the bytes of a NIfTI file or its beginning, compressed by gzip or not. */
export function isNifti(bytes: Uint8Array): boolean {
  return startOf(bytes) !== null;
}

/** Whether the bytes are compressed by gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** From a file or its beginning. Throws UserError naming the path. */
export function readNiftiHeader(path: string, bytes: Uint8Array): NiftiHeader {
  const refuse = (reason: string) => new UserError(`image ${path} ${reason}`);
  const start = startOf(bytes);
  if (start === null) throw refuse(DAMAGED);
  const { view, size, littleEndian, isPair } = start;
  if (isPair) throw refuse("is a NIfTI header whose voxels lie in another file: save both as one .nii or .nii.gz");
  const at = layouts[size]!;
  const isFirst = size === 348;
  const whole = (place: number, i = 0) =>
    isFirst ? view.getInt16(place + 2 * i, littleEndian) : Number(view.getBigInt64(place + 8 * i, littleEndian));
  const float = (place: number, i = 0) =>
    isFirst ? view.getFloat32(place + 4 * i, littleEndian) : view.getFloat64(place + 8 * i, littleEndian);
  const code = (i: number) =>
    isFirst ? view.getInt16(at.formCodes + 2 * i, littleEndian) : view.getInt32(at.formCodes + 4 * i, littleEndian);
  const dimensions = whole(at.dim);
  if (dimensions < 1 || dimensions > 7) throw refuse(DAMAGED);
  const dims = [1, 2, 3, 4, 5, 6, 7].map((i) => (i <= dimensions ? whole(at.dim, i) : 1));
  if (dims.some((n) => n < 1)) throw refuse(DAMAGED);
  const volumes = dims.slice(3).reduce((a, b) => a * b, 1);
  if (volumes > 1) {
    throw refuse(`is a NIfTI file of ${volumes} volumes, where one is read: save the one you want by itself`);
  }
  const sizes = dims.slice(0, 3) as unknown as Vector;
  const datatype = view.getInt16(at.datatype, littleEndian);
  const type = voxelTypes[datatype];
  if (type === undefined) {
    throw refuse(
      `is a NIfTI file with voxels of type ${datatype}, where whole numbers and floats are read: convert it`,
    );
  }
  const offset = isFirst ? float(at.offset) : whole(at.offset);
  const end = offset + type.bytes * sizes[0] * sizes[1] * sizes[2];
  if (!Number.isInteger(offset) || offset < size) throw refuse(DAMAGED);
  if (end > MAX_VOLUME_BYTES) throw refuse(`is a NIfTI file of ${end} bytes; at most ${MAX_VOLUME_BYTES} are read`);
  const three = (place: number, from = 0) => [0, 1, 2].map((i) => float(place, from + i)) as unknown as Vector;
  const axes = axesOf({
    sform: code(1) > 0 ? [three(at.affine), three(at.affine, 4), three(at.affine, 8)] : null,
    quaternion: code(0) > 0 ? three(at.quaternion) : null,
    zooms: three(at.pixdim, 1),
    handedness: float(at.pixdim) === -1 ? -1 : 1,
  });
  if (axes === null) throw refuse("is a NIfTI file that does not say how it lies in the patient: replace it");
  const [slope, intercept] = [float(at.slope), float(at.slope, 1)];
  const scaled = Number.isFinite(slope) && slope !== 0 && Number.isFinite(intercept);
  const [high, low] = [float(at.shown), float(at.shown, 1)];
  const shown = Number.isFinite(low) && Number.isFinite(high) && high > low ? ([low, high] as const) : null;
  const scale = scaled ? { slope, intercept } : { slope: 1, intercept: 0 };
  return { sizes, axes, littleEndian, datatype, offset, end, ...scale, shown };
}

interface Start {
  readonly view: DataView;
  readonly size: number;
  readonly littleEndian: boolean;
  readonly isPair: boolean;
}

/** The header's bytes, known by their size and the letters that close (NIfTI-1) or open (NIfTI-2) them. */
function startOf(bytes: Uint8Array): Start | null {
  const plain = isGzip(bytes) ? inflatedHead(bytes) : bytes;
  if (plain.length < 348) return null;
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  for (const littleEndian of [true, false]) {
    const size = view.getInt32(0, littleEndian);
    if ((size !== 348 && size !== 540) || plain.length < size) continue;
    const place = size === 348 ? 344 : 4;
    const magic = Buffer.from(plain.subarray(place, place + 4)).toString("latin1");
    if (/^n[+i][12]\0$/.test(magic)) return { view, size, littleEndian, isPair: magic[1] === "i" };
  }
  return null;
}

function inflatedHead(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes.subarray(0, COMPRESSED_HEAD), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return new Uint8Array(0);
  }
}
