/** Reads a safetensors header as hostile input: nothing in it is used before lengths, names, shapes and offsets agree. */
import { UserError } from "../core/errors.ts";
import { jsonFault, placeholderFault, shown } from "./files.ts";
import { repeatedKey } from "./json-keys.ts";

/** One tensor: `begin` counts bytes from the start of the file. */
export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** By name, in the order of their bytes. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A weight's name becomes a key of plain objects and part of messages: no "__proto__", no control characters. */
export function isTensorName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !/^(__proto__|__metadata__|)$|[\u0000-\u001f\u007f]/.test(name) && name.length <= 1024;
}

/** As the reference implementation: a header of a real model is a few hundred kilobytes. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_RANK = 32;

const bitsOf: ReadonlyMap<string, number> = new Map([
  ...["F64", "I64", "U64", "C64"].map((dtype) => [dtype, 64] as const),
  ...["F32", "I32", "U32"].map((dtype) => [dtype, 32] as const),
  ...["F16", "BF16", "I16", "U16"].map((dtype) => [dtype, 16] as const),
  ...["I8", "U8", "BOOL", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((d) => [d, 8] as const),
  ...["F6_E2M3", "F6_E3M2"].map((dtype) => [dtype, 6] as const),
  ["F4", 4],
]);

/** Parses and checks the header of a file of `size` bytes; throws UserError naming file and tensor. */
export function parseSafetensorsHeader(
  path: string,
  size: number,
  read: (offset: number, length: number) => Uint8Array,
): SafetensorsHeader {
  const fail = (reason: string): never => {
    throw new UserError(`${path} is not a valid safetensors file: ${reason}`);
  };
  if (size < 8) fail(`it has ${size} bytes, too few for a header`);
  const other = placeholderFault(Buffer.from(read(0, Math.min(size, 64))));
  if (other !== null) fail(other);
  const length = Number(Buffer.from(read(0, 8)).readBigUInt64LE());
  if (length > MAX_HEADER_BYTES) fail(`its header claims ${length} bytes, more than ${MAX_HEADER_BYTES}`);
  if (8 + length > size) fail(`its header claims ${length} bytes, but the file has ${size}; is the download complete?`);

  const record = parseRecord(read(8, length), fail);
  const entries: [string, TensorEntry][] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(record)) {
    if (name === "__metadata__") metadata = checkMetadata(value, fail);
    else entries.push([name, checkEntry(name, value, 8 + length, fail)]);
  }
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkRanges(entries, 8 + length, size, fail);
  return { entries: new Map(entries), metadata };
}

type Fail = (reason: string) => never;

function parseRecord(bytes: Uint8Array, fail: Fail): object {
  let text: string;
  let record: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    record = JSON.parse(text);
  } catch (error) {
    return fail(`its header is not JSON (${jsonFault(error)})`);
  }
  if (!isRecord(record)) return fail("its header is not a JSON object");
  const repeated = repeatedKey(text);
  if (repeated !== null) fail(`its header names ${shown(repeated)} twice`);
  return record;
}

function checkMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (!isRecord(value)) return fail("__metadata__ is not an object");
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") fail(`__metadata__ entry "${key}" is not a string`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataStart: number, fail: Fail): TensorEntry {
  if (!isTensorName(name)) fail(`tensor name ${shown(name)} is not allowed`);
  const tensor = `tensor "${name}"`;
  if (!isRecord(value)) return fail(`${tensor} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const bits = typeof dtype === "string" ? bitsOf.get(dtype) : undefined;
  if (bits === undefined) fail(`${tensor} has the unknown dtype ${shown(dtype)}`);
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isSize)) {
    return fail(
      `${tensor} has shape ${shown(shape)}; sizes must be integers of at least 0, at most ${MAX_RANK} of them`,
    );
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0]! > offsets[1]!) {
    return fail(`${tensor} has data_offsets ${shown(offsets)}; expected [begin, end] with 0 <= begin <= end`);
  }
  const [begin, end] = offsets as [number, number];
  // A product beyond 2^53 is rounded but stays far above any file's size, so it cannot equal a range.
  const bytes = (shape.reduce((product: number, size: number) => product * size, 1) * bits!) / 8;
  if (bytes !== end - begin) {
    fail(
      `${tensor} of dtype ${dtype} and shape [${shape.join(", ")}] takes ${bytes} bytes, its offsets span ${end - begin}`,
    );
  }
  return { dtype: dtype as string, shape, begin: dataStart + begin, end: dataStart + end };
}

/** The ranges must cover the data from its first to its last byte, each byte once. */
function checkRanges(
  entries: readonly (readonly [string, TensorEntry])[],
  start: number,
  size: number,
  fail: Fail,
): void {
  let at = start;
  let before: string | null = null;
  for (const [name, { begin, end }] of entries) {
    if (end > size) fail(`tensor "${name}" ends ${end - size} bytes after the file; is the download complete?`);
    if (begin < at) fail(`tensors "${before}" and "${name}" overlap`);
    if (begin > at) fail(`${begin - at} bytes before tensor "${name}" belong to no tensor`);
    at = end;
    before = name;
  }
  if (at !== size) fail(`the last ${size - at} bytes belong to no tensor`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
