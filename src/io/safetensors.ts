/**
 * The safetensors format: a JSON header, then every tensor's bytes without gaps. The reader checks the whole header before
 * it believes any of it and reads single tensors by byte range; the writer streams beside and renames. Little-endian.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { fileError, writeBeside } from "./files.ts";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";
import { isTensorName, parseSafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";

/** A dtype by safetensors' own name, e.g. "F32", "BF16", "I64", and the sizes, slowest first. */
export interface StoredTensorInfo {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** An open safetensors file. */
export interface SafetensorsFile {
  readonly path: string;
  /** In the order of their bytes. */
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  info(name: string): StoredTensorInfo;
  /** The values of an F32, F16 or BF16 tensor, row-major; any other dtype is a UserError. */
  readFloat32(name: string): Float32Array;
  /** Rows `from` to `to` (exclusive) along the first dimension, as `readFloat32` would give them; only they are read. */
  readRows(name: string, from: number, to: number): Float32Array;
  /** The stored bytes of a tensor of any dtype. */
  readBytes(name: string): Uint8Array;
  close(): void;
}

/** The dtypes weights are written in. */
export type FloatStorage = "F32" | "F16" | "BF16";

/** A tensor to write. `data` is read once, when its turn comes, so a getter may compute it then and it need not be kept. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Opens a file and checks its header; tensor data stays on disk until read. Throws UserError on any fault of the file. */
export function openSafetensors(path: string): SafetensorsFile {
  const file = openForReading(path);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new UserError(`cannot read weights ${path}: it is not a file`);
    const header = parseSafetensorsHeader(path, stat.size, (offset, length) => readBytes(file, path, offset, length));
    const entry = (name: string): TensorEntry => {
      const found = header.entries.get(name);
      if (found === undefined) throw new UserError(`${path} holds no tensor "${name}"`);
      return found;
    };
    return {
      path,
      names: [...header.entries.keys()],
      metadata: header.metadata,
      info: (name) => entry(name),
      readFloat32: (name) => readFloats(file, path, name, entry(name)),
      readRows: (name, from, to) => readFloats(file, path, name, rowsOf(entry(name), name, from, to)),
      readBytes: (name) => readBytes(file, path, entry(name).begin, entry(name).end - entry(name).begin),
      close: () => closeSync(file),
    };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** Texts of the header's __metadata__; transformers reads files whose "format" is "pt", which stands there by itself. */
export type SafetensorsMetadata = Readonly<Record<string, string>>;

/** Writes one file whole or not at all; the values are rounded to `dtype` (default F32). */
export function writeSafetensors(
  path: string,
  tensors: Iterable<NamedTensor>,
  dtype: FloatStorage = "F32",
  metadata: SafetensorsMetadata = {},
): void {
  const all = [...tensors];
  writeBeside(path, (write) => {
    write(encodeHeader(all, dtype, metadata));
    for (const tensor of all) {
      const values = tensor.data;
      if (values.length !== sizeOf(tensor.shape)) {
        throw new Error(
          `writeSafetensors: "${tensor.name}" has shape [${tensor.shape.join(", ")}] but ${values.length} values`,
        );
      }
      for (let start = 0; start < values.length; start += CHUNK)
        write(toBytes(values.subarray(start, start + CHUNK), dtype));
    }
  });
}

/** Bytes of one value in the file. */
export function bytesPerValue(dtype: FloatStorage): number {
  return dtype === "F32" ? 4 : 2;
}

/** Values converted at a time, so that a large tensor is never held twice. */
const CHUNK = 1 << 22;

function openForReading(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a pipe must not wait for its writer
  } catch (error) {
    throw fileError(path, "weights", error);
  }
}

function readFloats(file: number, path: string, name: string, entry: TensorEntry): Float32Array {
  const { dtype, begin } = entry;
  if (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16") {
    throw new UserError(
      `${path}: tensor "${name}" is stored as ${dtype}; only F32, F16 and BF16 can be read as weights`,
    );
  }
  const values = allocate(path, name, sizeOf(entry.shape));
  if (dtype === "F32") {
    fillBytes(file, path, begin, new Uint8Array(values.buffer));
    return values;
  }
  const widen = dtype === "F16" ? float16ToFloat32 : bfloat16ToFloat32;
  const words = new Uint16Array(Math.min(CHUNK, values.length));
  for (let start = 0; start < values.length; start += CHUNK) {
    const part = words.subarray(0, Math.min(CHUNK, values.length - start));
    fillBytes(file, path, begin + 2 * start, new Uint8Array(part.buffer, 0, part.byteLength));
    widen(part, values.subarray(start, start + part.length));
  }
  return values;
}

function allocate(path: string, name: string, length: number): Float32Array<ArrayBuffer> {
  try {
    return new Float32Array(length);
  } catch (error) {
    const gb = ((4 * length) / 1e9).toPrecision(3);
    throw new UserError(`${path}: there is no memory for the ${gb} GB of tensor "${name}"`, { cause: error });
  }
}

/** A part of an entry: rows of its first dimension follow each other in the file. */
function rowsOf(entry: TensorEntry, name: string, from: number, to: number): TensorEntry {
  const [rows = 0, ...rest] = entry.shape;
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to < from || to > rows) {
    throw new Error(`readRows: "${name}" has ${rows} rows, got ${from} to ${to}`);
  }
  const stride = rows === 0 ? 0 : (entry.end - entry.begin) / rows;
  const [begin, end] = [entry.begin + from * stride, entry.begin + to * stride];
  return { dtype: entry.dtype, shape: [to - from, ...rest], begin, end };
}

function readBytes(file: number, path: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  fillBytes(file, path, offset, bytes);
  return bytes;
}

function fillBytes(file: number, path: string, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(file, bytes, done, Math.min(1 << 30, bytes.length - done), offset + done);
    if (read === 0) throw new UserError(`${path} ended while it was read: was it changed or cut meanwhile?`);
    done += read;
  }
}

function encodeHeader(tensors: readonly NamedTensor[], dtype: FloatStorage, metadata: SafetensorsMetadata): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: "pt", ...metadata } };
  let end = 0;
  for (const { name, shape } of tensors) {
    if (!isTensorName(name)) throw new Error(`writeSafetensors: "${name}" is no name for a tensor`);
    if (Object.hasOwn(header, name)) throw new Error(`writeSafetensors: two tensors are called "${name}"`);
    const begin = end;
    end += sizeOf(shape) * bytesPerValue(dtype);
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header), "utf8");
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(8 + length, " "); // spaces pad the header, so that the data starts at a multiple of 8
  bytes.writeBigUInt64LE(BigInt(length), 0);
  json.copy(bytes, 8);
  return bytes;
}

function toBytes(values: Float32Array, dtype: FloatStorage): Uint8Array {
  const stored = dtype === "F32" ? values : dtype === "F16" ? float32ToFloat16(values) : float32ToBfloat16(values);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
