/**
 * A JSONL file that may still grow, indexed by byte offsets: only whole lines count, a half-written last one waits, and a
 * file that was cut or replaced is indexed again from its start.
 */
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";

/** The object on a line. */
export type Line = Readonly<Record<string, unknown>>;

/** Told of the lines as they are found. */
export interface LineVisitor {
  /** A whole line without its end. It may be no JSON. */
  line(text: string, index: number): void;
  /** The file is another than before: everything told so far is void. */
  reset(): void;
}

/** An index; it holds no file open. */
export interface LineFile {
  readonly path: string;
  /** Whole lines. */
  readonly count: number;
  /** Offset of the end of the last whole line. */
  readonly bytes: number;
  /** Increases with every reset. */
  readonly generation: number;
  /** Takes in what was appended since; a missing file is an empty one. Returns whether anything changed. */
  update(): boolean;
  /** The text of a line; null where the file no longer has it. */
  read(index: number): string | null;
  /** The texts of lines, one after the other, with the file opened once. */
  lines(indices: Iterable<number>): Generator<string | null>;
  /** The index of the line that begins at a byte offset (the count for the file's end); null where none does. */
  at(offset: number): number | null;
}

/** A longer line is passed over: nothing of viva's writes one, and a page could not show it. */
export const MAX_LINE_BYTES = 64_000_000;

const BLOCK = 1 << 22;
/** So many bytes before the end tell whether the file was only appended to. */
const MARK = 64;

export function followLines(path: string, visitor: LineVisitor): LineFile {
  let starts: number[] = [];
  let bytes = 0;
  let generation = 0;
  let inode = 0;
  let mark: Buffer = Buffer.alloc(0);

  const forget = () => {
    if (bytes > 0 || starts.length > 0) generation++;
    starts = [];
    bytes = 0;
    mark = Buffer.alloc(0);
    visitor.reset();
  };

  const take = (fd: number, size: number): void => {
    let carry: Buffer = Buffer.alloc(0);
    let tooLong = 0;
    for (let at = bytes; at < size; ) {
      const block = Buffer.allocUnsafe(Math.min(BLOCK, size - at));
      const got = readSync(fd, block, 0, block.length, at);
      if (got === 0) break;
      let start = 0;
      for (let end = block.indexOf(10); end >= 0 && end < got; end = block.indexOf(10, start)) {
        const length = tooLong + carry.length + end - start;
        const text =
          length > MAX_LINE_BYTES
            ? ""
            : carry.length === 0
              ? block.toString("utf8", start, end)
              : Buffer.concat([carry, block.subarray(start, end)]).toString("utf8");
        starts.push(bytes);
        bytes += length + 1;
        carry = Buffer.alloc(0);
        tooLong = 0;
        visitor.line(text, starts.length - 1);
        start = end + 1;
      }
      const rest = block.subarray(start, got);
      if (tooLong + carry.length + rest.length > MAX_LINE_BYTES) {
        tooLong += carry.length + rest.length;
        carry = Buffer.alloc(0);
      } else if (rest.length > 0) carry = carry.length === 0 ? rest : Buffer.concat([carry, rest]);
      at += got;
    }
  };

  function* lines(indices: Iterable<number>): Generator<string | null> {
    const fd = openOrNull(path);
    try {
      for (const index of indices) {
        const start = starts[index];
        const length = (starts[index + 1] ?? bytes) - 1 - (start ?? 0);
        if (fd === null || start === undefined || length > MAX_LINE_BYTES) yield null;
        else yield readAt(fd, start, length).toString("utf8");
      }
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }

  return {
    path,
    get count() {
      return starts.length;
    },
    get bytes() {
      return bytes;
    },
    get generation() {
      return generation;
    },
    update() {
      const found = statOf(path);
      if (found?.isFile() !== true) {
        if (bytes === 0) return false;
        forget();
        return true;
      }
      if (found.ino === inode && found.size === bytes) return false;
      const fd = openOrNull(path);
      if (fd === null) return false;
      try {
        const { size, ino } = fstatSync(fd);
        const isSame = ino === inode && size >= bytes && readAt(fd, bytes - mark.length, mark.length).equals(mark);
        const changed = !isSame && bytes > 0;
        if (changed) forget();
        inode = ino;
        const before = bytes;
        take(fd, size);
        mark = readAt(fd, Math.max(0, bytes - MARK), Math.min(MARK, bytes));
        return changed || bytes > before;
      } finally {
        closeSync(fd);
      }
    },
    read: (index) => lines([index]).next().value as string | null,
    lines,
    at(offset) {
      if (offset === bytes) return starts.length;
      let [low, high] = [0, starts.length - 1];
      while (low <= high) {
        const middle = (low + high) >> 1;
        if (starts[middle] === offset) return middle;
        if (starts[middle]! < offset) low = middle + 1;
        else high = middle - 1;
      }
      return null;
    },
  };
}

/** The object on a line; null for anything else. */
export function recordOf(text: string | null): Line | null {
  if (text === null || text === "") return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Line) : null;
  } catch {
    return null;
  }
}

/** The objects on the whole lines of a file as it is now. */
export function recordsIn(path: string): readonly Line[] {
  const found: Line[] = [];
  const line = (text: string) => {
    const record = recordOf(text);
    if (record !== null) found.push(record);
  };
  followLines(path, { line, reset() {} }).update();
  return found;
}

/** Undefined for what is not there or not ours to read. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function openOrNull(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch {
    return null;
  }
}

function readAt(fd: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, length));
  let done = 0;
  while (done < bytes.length) {
    const got = readSync(fd, bytes, done, bytes.length - done, from + done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}
