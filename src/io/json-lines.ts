/** The lines of a JSONL file with where they stand, one after the other; blank lines are passed over. */
import { closeSync, openSync, readSync } from "node:fs";
import { encodingFault } from "../core/encoding.ts";
import { messageOf, UserError } from "../core/errors.ts";
import { fileError, hiddenFault } from "./files.ts";

/** Where a line stands: its number from 1, and "FILE:LINE" for errors. */
interface Place {
  readonly line: number;
  readonly where: string;
}

export interface JsonLine extends Place {
  readonly value: unknown;
}

/** A line as it stands in the file; `value` is undefined exactly where `fault` says why it is no JSON. */
export interface ScannedLine extends JsonLine {
  readonly text: string;
  readonly fault: string | null;
}

/** Bytes of a line that one string of the engine can hold. */
const MAX_LINE_BYTES = 500_000_000;

/**
 * All lines of a file that a user gave; `what` names its role. UserError with file and line for a line that is no JSON, is
 * not UTF-8, or that JSON.parse would change: guessed letters or a key given twice would change what a row says.
 */
export function readJsonLines(file: string, what: string): readonly JsonLine[] {
  const lines: JsonLine[] = [];
  for (const { bytes, text, line, where } of textLines(file, what)) {
    const encoding = encodingFault(bytes, line);
    if (encoding !== null) throw new UserError(`cannot read ${what} ${file}: ${encoding}: save the file as UTF-8`);
    const parsed = parseJson(text);
    const fault = parsed.fault ?? hiddenFault(text);
    if (fault !== null) throw new UserError(`${where}: ${fault}`);
    lines.push({ value: parsed.value, line, where });
  }
  return lines;
}

/** The lines one by one, damaged ones too, without holding the file in memory. UserError for a file that cannot be read. */
export function* scanJsonLines(file: string, what: string): Generator<ScannedLine> {
  for (const { text, line, where } of textLines(file, what)) yield { text, line, where, ...parseJson(text) };
}

/** The value of a text, or why it is no JSON. */
export function parseJson(text: string): Pick<ScannedLine, "value" | "fault"> {
  try {
    return { value: JSON.parse(text), fault: null };
  } catch (error) {
    return { value: undefined, fault: `not a JSON object: ${messageOf(error)}` };
  }
}

interface TextLine extends Place {
  readonly bytes: Buffer;
  /** Without the mark that some programs begin a file with. */
  readonly text: string;
}

/** The lines that are not blank. */
function* textLines(file: string, what: string): Generator<TextLine> {
  let line = 0;
  for (const bytes of byteLines(file, what)) {
    const decoded = bytes.toString("utf8");
    const text = line++ === 0 ? decoded.replace(/^\ufeff/, "") : decoded;
    if (text.trim() !== "") yield { bytes, text, line, where: `${file}:${line}` };
  }
}

/** Without their ends. */
function* byteLines(file: string, what: string): Generator<Buffer> {
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw fileError(file, what, error);
    }
  };
  const fd = attempt(() => openSync(file, "r"));
  try {
    const chunk = Buffer.alloc(1 << 18);
    let pending: Buffer[] = [];
    let bytes = 0;
    const line = (last: Buffer): Buffer => {
      const whole = Buffer.concat([...pending, last]);
      pending = [];
      bytes = 0;
      return whole;
    };
    const next = () => attempt(() => readSync(fd, chunk));
    for (let read = next(); read > 0; read = next()) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0 && end < read; end = chunk.indexOf(10, start)) {
        yield line(chunk.subarray(start, end));
        start = end + 1;
      }
      bytes += read - start;
      if (bytes > MAX_LINE_BYTES) {
        throw new UserError(`cannot read ${what} ${file}: a line has more than ${MAX_LINE_BYTES} bytes`);
      }
      if (start < read) pending.push(Buffer.from(chunk.subarray(start, read)));
    }
    if (pending.length > 0) yield line(Buffer.alloc(0));
  } finally {
    closeSync(fd);
  }
}
