/**
 * Append-only files of one JSON object a line. A line is one write call that ends in a newline, so that a killed
 * writer leaves at most one half line, at the end; readers ignore it and writers cut it off.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { UserError } from "../core/errors.ts";
import { asFileError, whileWriting } from "../core/system-errors.ts";
import { parseJson, scanJsonLines } from "../io/json-lines.ts";
import { moveIntoPlace } from "./durable.ts";

/** What JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** An open stream; it owns its file until closed. */
export interface JsonlStream {
  readonly path: string;
  /** How many records it holds. */
  rows(): number;
  /** Writes one line (see `jsonLine`). */
  append(record: object): void;
  /** Keeps only the records that pass, atomically; returns how many lines went. Later appends follow the kept ones. */
  truncate(keep: (record: Record<string, unknown>) => boolean): number;
  /** Flushes to disk what was appended. */
  sync(): void;
  close(): void;
}

/** One line of JSON; numbers that JSON lacks become the texts "NaN", "Infinity" and "-Infinity". */
export function jsonLine(record: object): string {
  const spell = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  return JSON.stringify(record, spell) + "\n";
}

/** A full disk leaves the file as it was, so that a later line does not follow half of one. */
function appendWhole(fd: number, line: Buffer, path: string): void {
  const { size } = fstatSync(fd);
  try {
    writeWhole(fd, line);
  } catch (error) {
    if (fstatSync(fd).size > size) ftruncateSync(fd, size);
    throw asFileError(error, { verb: "write", path });
  }
}

/** A nearly full disk takes part of a write before it refuses one. */
function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** Opens a stream for appending, making the file where there is none and cutting off a half-written last line. */
export function openJsonl(path: string): JsonlStream {
  let fd: number | null = whileWriting(path, () => openMended(path));
  let rows = countLines(fd);
  const open = () => {
    if (fd === null) throw new Error(`internal: ${path}: the stream is closed`);
    return fd;
  };
  return {
    path,
    rows: () => rows,
    append(record) {
      appendWhole(open(), Buffer.from(jsonLine(record)), path);
      rows++;
    },
    truncate(keep) {
      closeSync(open());
      fd = null;
      try {
        const dropped = whileWriting(path, () => truncateJsonl(path, keep));
        rows -= dropped;
        return dropped;
      } finally {
        fd = openMended(path);
      }
    },
    sync: () => whileWriting(path, () => fsyncSync(open())),
    close() {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

/** All records of a file; a half-written last line is ignored, any other damaged line is a UserError. */
export function readJsonl<T = Record<string, unknown>>(path: string): T[] {
  return [...scanJsonl<T>(path)];
}

/** The records of a file one after the other, without holding the file in memory. */
export function* scanJsonl<T = Record<string, unknown>>(path: string): Generator<T> {
  for (const { record } of parsedLines(path)) if (record !== undefined) yield record as T;
}

/** A record that was appended, and whether the file was replaced or cut since the record before it. */
export interface TailRow {
  readonly row: Readonly<Record<string, unknown>>;
  readonly rewound: boolean;
}

/**
 * Reads a file that is being written: each call gives the whole records since the last one, and all of them again once the file
 * was rewound. A file that is not there yet has none.
 */
export function tailJsonl(path: string): () => Generator<TailRow> {
  let offset = 0;
  let inode = 0;
  return function* () {
    if (!existsSync(path)) return;
    const fd = openSync(path, "r");
    try {
      const { ino, size } = fstatSync(fd);
      let rewound = offset > 0 && (ino !== inode || size < offset);
      if (rewound) offset = 0;
      inode = ino;
      for (const { bytes, end } of wholeLines(fd, offset)) {
        const { value, fault } = parseJson(bytes.toString("utf8"));
        if (!isRecord(value)) throw new UserError(`${path}: a damaged row: ${fault ?? "expected a JSON object"}`);
        yield { row: value, rewound };
        offset = end;
        rewound = false;
      }
    } finally {
      closeSync(fd);
    }
  };
}

/** Lines from an offset on that have their newline, and the offset after each. */
function* wholeLines(fd: number, start: number): Generator<{ readonly bytes: Buffer; readonly end: number }> {
  const chunk = Buffer.alloc(1 << 18);
  let parts: Buffer[] = [];
  let [at, end] = [start, start];
  for (let read = readSync(fd, chunk, 0, chunk.length, at); read > 0; read = readSync(fd, chunk, 0, chunk.length, at)) {
    let from = 0;
    for (let newline = chunk.indexOf(10); newline >= 0 && newline < read; newline = chunk.indexOf(10, from)) {
      const bytes = Buffer.concat([...parts, chunk.subarray(from, newline)]);
      parts = [];
      end += bytes.length + 1;
      from = newline + 1;
      if (bytes.length > 0) yield { bytes, end };
    }
    parts.push(Buffer.from(chunk.subarray(from, read)));
    at += read;
  }
}

function countLines(fd: number): number {
  let lines = 0;
  for (const _ of wholeLines(fd, 0)) lines++;
  return lines;
}

/**
 * Drops the lines whose record fails `keep`, and any half line; returns how many went. The file is replaced in one
 * step, and left untouched where nothing goes. Nobody may have it open for appending (see `JsonlStream.truncate`).
 */
export function truncateJsonl(path: string, keep: (record: Record<string, unknown>) => boolean): number {
  if (!existsSync(path)) return 0;
  const beside = `${path}.tmp`;
  const out = openSync(beside, "w");
  let dropped = 0;
  try {
    for (const { text, record } of parsedLines(path)) {
      if (record !== undefined && keep(record)) writeWhole(out, Buffer.from(`${text}\n`));
      else dropped++;
    }
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  } finally {
    closeSync(out);
  }
  if (dropped > 0) moveIntoPlace(beside, path);
  else rmSync(beside);
  return dropped;
}

/** Every non-blank line with its record; only the last may lack one (undefined): it was cut short by a kill. */
function* parsedLines(path: string): Generator<{ text: string; record: Record<string, unknown> | undefined }> {
  let damaged: { text: string; problem: string } | null = null;
  for (const { text, where, value, fault } of scanJsonLines(path, "records")) {
    if (damaged !== null) throw new UserError(damaged.problem);
    if (isRecord(value)) yield { text, record: value };
    else damaged = { text, problem: `${where}: ${fault ?? "expected a JSON object"}` };
  }
  if (damaged !== null) yield { text: damaged.text, record: undefined };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Opens for appending; a last line without its newline gets one when it is whole and is cut off when it is not. */
function openMended(path: string): number {
  const fd = openSync(path, "a+");
  const size = fstatSync(fd).size;
  const tail = Buffer.alloc(1 << 16);
  const parts: Buffer[] = [];
  let start = size;
  while (start > 0) {
    const from = Math.max(0, start - tail.length);
    const part = Buffer.from(tail.subarray(0, readSync(fd, tail, 0, start - from, from)));
    const newline = part.lastIndexOf(10);
    parts.unshift(part.subarray(newline + 1));
    start = from + newline + 1;
    if (newline >= 0) break;
  }
  if (start === size) return fd;
  if (isRecord(parseJson(Buffer.concat(parts).toString("utf8")).value)) writeSync(fd, "\n");
  else ftruncateSync(fd, start);
  return fd;
}
