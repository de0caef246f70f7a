/**
 * Axial slices of NIfTI volumes as 8-bit pixels, laid out as films are: the patient's right on the left, the front above,
 * the first slice the lowest. Pixels are the file's voxels.
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { UserError } from "../../core/errors.ts";
import { imageFile } from "../../core/image-names.ts";
import type { ImageSize } from "../../core/records.ts";
import type { GreyWindow } from "../../core/windows.ts";
import { inWindow } from "../dicom/greys.ts";
import type { FrameImage, FrameLimits, StoredValues } from "../frame-image.ts";
import { isGzip, type NiftiHeader, readNiftiHeader } from "./header.ts";
import { isWhole, voxelTypes } from "./voxels.ts";

/**
 * The slice that `path` names, in the window that is given, else in the file's own range, else from the volume's least to
 * its greatest value. A window of one modality is not used: a volume does not say its own. Throws UserError naming the path.
 */
export async function decodeNifti(
  path: string,
  bytes: Uint8Array,
  { window, maxPixels }: FrameLimits & { readonly window?: GreyWindow | undefined },
): Promise<FrameImage> {
  const header = readNiftiHeader(path, bytes);
  const { width, height } = checkedSize(path, header, { maxPixels });
  const frame = sliceOf(path, header);
  const { valueAt, slice } = await valuesOf(path, bytes, header);
  const given = window?.modality === undefined ? window : undefined;
  const share = given === undefined ? inRange(header, valueAt) : inWindow({ ...given, curve: "LINEAR" });
  // What is no number is black.
  const data = Uint8Array.from(slice(frame), (value) => Math.round(255 * Math.min(1, Math.max(0, share(value)))));
  const image = { width, height, channels: 1, data } as const;
  return { image, frame, frames: slicesOf(header), usedWindow: given !== undefined };
}

/** The values of the slice in 65,536 steps at most, which whole numbers keep as they are. Throws UserError naming the path. */
export async function niftiValues(path: string, bytes: Uint8Array, limits: FrameLimits): Promise<StoredValues> {
  const header = readNiftiHeader(path, bytes);
  const { width, height } = checkedSize(path, header, limits);
  const values = (await valuesOf(path, bytes, header)).slice(sliceOf(path, header));
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const whole = isWhole(header) ? Math.abs(header.slope) : 0;
  const slope = high > low ? Math.max(whole, (high - low) / 65_535) : 1;
  const data = Uint16Array.from(values, (value) => Math.min(65_535, Math.max(0, Math.round((value - low) / slope))));
  const intercept = high >= low ? low : 0;
  return { width, height, channels: 1, bits: 16, data: new Uint8Array(data.buffer), slope, intercept };
}

/** The size of a slice, from a file or its beginning. Throws UserError naming the path. */
export function niftiSize(path: string, bytes: Uint8Array, limits: FrameLimits): ImageSize {
  const header = readNiftiHeader(path, bytes);
  sliceOf(path, header);
  return checkedSize(path, header, limits);
}

function checkedSize(path: string, { sizes, axes }: NiftiHeader, { maxPixels }: FrameLimits): ImageSize {
  const [width, height] = [sizes[axes[0].axis], sizes[axes[1].axis]];
  if (width * height <= maxPixels) return { width, height };
  throw new UserError(`image ${path} has ${width} x ${height} pixels, more than ${maxPixels}`);
}

function slicesOf({ sizes, axes }: NiftiHeader): number {
  return sizes[axes[2].axis];
}

function sliceOf(path: string, header: NiftiHeader): number {
  const { file, frame } = imageFile(path);
  const slices = slicesOf(header);
  if (frame === null && slices === 1) return 0;
  if (frame === null) {
    throw new UserError(`image ${path} has ${slices} axial slices: name one of them, as in ${file}#frame=1`);
  }
  if (frame <= slices) return frame - 1;
  throw new UserError(`image ${path} is of a file with ${slices} axial ${slices === 1 ? "slice" : "slices"}`);
}

/** Never more than the header says, so that a small file cannot fill the memory. */
async function plainBytes(path: string, bytes: Uint8Array, { end }: NiftiHeader): Promise<Uint8Array> {
  const plain = isGzip(bytes)
    ? await promisify(gunzip)(bytes, { maxOutputLength: end + 1 }).catch((error: NodeJS.ErrnoException) => {
        const reason = error.code === "ERR_BUFFER_TOO_LARGE" ? "is longer than it says" : "is damaged";
        throw new UserError(`image ${path} is a compressed NIfTI file that ${reason}: replace it`);
      })
    : bytes;
  if (plain.length >= end) return plain;
  throw new UserError(`image ${path} is a NIfTI file that is cut short: replace it`);
}

/** The value of the voxel at a place of the file's order, and those of an axial slice, row by row. */
async function valuesOf(path: string, bytes: Uint8Array, header: NiftiHeader) {
  const { offset, littleEndian, slope, intercept, sizes, axes } = header;
  const plain = await plainBytes(path, bytes, header);
  const { bytes: size, read } = voxelTypes[header.datatype]!;
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  const valueAt = (place: number) => slope * read(view, offset + size * place, littleEndian) + intercept;
  const [width, height] = [sizes[axes[0].axis], sizes[axes[1].axis]];
  const [x, y, z] = stepsOf(header);
  const slice = (frame: number) =>
    Float64Array.from({ length: width * height }, (_, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      return valueAt(x(width - 1 - column) + y(height - 1 - row) + z(frame));
    });
  return { valueAt, slice };
}

/** What a step to the right, to the front and to the head adds to a voxel's place. */
function stepsOf({ sizes, axes }: NiftiHeader): readonly [Step, Step, Step] {
  const strides = [1, sizes[0], sizes[0] * sizes[1]];
  return axes.map(({ axis, reversed }): Step => {
    const [stride, last] = [strides[axis]!, sizes[axis] - 1];
    return (i) => stride * (reversed ? last - i : i);
  }) as unknown as readonly [Step, Step, Step];
}

type Step = (index: number) => number;

function inRange({ sizes, shown }: NiftiHeader, valueAt: (place: number) => number): (value: number) => number {
  let [low, high] = shown ?? [Infinity, -Infinity];
  const count = shown === null ? sizes[0] * sizes[1] * sizes[2] : 0;
  for (let place = 0; place < count; place++) {
    const value = valueAt(place);
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high > low ? (value) => (value - low) / (high - low) : () => 0;
}
