/** Files that are whole or absent, and JSON whose faults are told with their place: what every reader and writer of `io` uses. */
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { encodingFault } from "../core/encoding.ts";
import { messageOf, UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { asFileError, reasonOf } from "../core/system-errors.ts";
import { repeatedKey, roundedNumber } from "./json-keys.ts";

/** Replaces `path` by `data`, or leaves it as it was: a crash never shows a half-written file. Makes missing folders. */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  writeBeside(path, (write) => write(typeof data === "string" ? Buffer.from(data, "utf8") : data));
}

/**
 * Streams a file: `fill` calls `write` as often as it likes, into a file beside `path` that takes its name at the end.
 * When `fill` throws, `path` is left as it was and nothing stays behind.
 */
export function writeBeside(path: string, fill: (write: (bytes: Uint8Array) => void) => void): void {
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    makeFolder(dirname(path));
    const file = openSync(beside, "wx");
    try {
      fill((bytes) => writeAll(file, bytes));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
  } catch (error) {
    if (existsSync(beside)) rmSync(beside);
    throw asFileError(error, { verb: "write", path });
  }
  syncFolder(dirname(path));
}

/** What fits into one string of the engine. */
const MAX_TEXT_BYTES = 500_000_000;

/**
 * Reads a text file a user gave; `what` names its role in the error, e.g. "model configuration". Bytes that are not UTF-8
 * are a UserError with their line: guessed letters would change what a text says.
 */
export function readText(path: string, what: string): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_TEXT_BYTES) {
    throw new UserError(`cannot read ${what} ${path}: it has ${size} bytes, more than ${MAX_TEXT_BYTES}`);
  }
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fileError(path, what, error);
  }
  const fault = encodingFault(bytes);
  if (fault === null) return bytes.toString("utf8");
  throw new UserError(`cannot read ${what} ${path}: ${fault}: save the file as UTF-8`);
}

/** What a download left in a file's place, by its first bytes; null for anything else. */
export function placeholderFault(start: Buffer): string | null {
  const text = start.toString("latin1").trimStart();
  if (text.startsWith("version https://git-lfs"))
    return "it is a pointer of Git LFS: fetch the file itself, git lfs pull";
  return /^<(!doctype|html)/i.test(text) ? "it is a web page: download the file itself" : null;
}

/** Reads a JSON file a user gave; missing or malformed it is a UserError with path, line and column. */
export function readJson(path: string, what: string): unknown {
  const text = readText(path, what);
  try {
    return JSON.parse(text);
  } catch (error) {
    const other = placeholderFault(Buffer.from(text.slice(0, 64)));
    if (other !== null) throw new UserError(`${what} ${path} is not valid JSON: ${other}`, { cause: error });
    const at = faultPosition(text, messageOf(error));
    const lines = text.slice(0, at).split("\n");
    const [line, column] = [lines.length, lines.at(-1)!.length + 1];
    throw new UserError(`${what} ${path} is not valid JSON: line ${line}, column ${column}: ${jsonFault(error)}`, {
      cause: error,
    });
  }
}

/** As `readJson`, for questions and answers: what JSON.parse would change in silence is a UserError too. */
export function readExactJson(path: string, what: string): unknown {
  const value = readJson(path, what);
  const fault = hiddenFault(readText(path, what));
  if (fault === null) return value;
  throw new UserError(`${what} ${path}: ${fault}`);
}

/** What JSON.parse changes in silence in a text that it accepts, as a sentence; null when it changes nothing. */
export function hiddenFault(json: string): string | null {
  const key = repeatedKey(json);
  if (key !== null) return `an object holds the key ${shown(key)} twice: keep one`;
  const number = roundedNumber(json);
  return number === null ? null : `${number} has more digits than a number keeps: write it as a text, in quotes`;
}

/** What JSON.parse found wrong, in one line and without V8's excerpt of the text. */
export function jsonFault(error: unknown): string {
  const reason = messageOf(error).replace(/( in JSON at position|, "|, \.\.\.").*$/s, "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return reason.replace(/[\u0000-\u001f\u007f]/g, (character) => JSON.stringify(character).slice(1, -1));
}

/** The start of a value's JSON, for messages; a hostile value may be too deep to print. */
export function shown(value: unknown): string {
  try {
    const json = String(JSON.stringify(value));
    return json.length > 80 ? `${json.slice(0, 80)}…` : json;
  } catch {
    return typeof value;
  }
}

/** The UserError for a file that could not be read: one sentence with role, path and reason. */
export function fileError(path: string, what: string, error: unknown): UserError {
  return new UserError(`cannot read ${what} ${path}: ${reasonOf(error)}`, { cause: error });
}

/** SHA-256 as 64 hexadecimal digits; a string counts as its UTF-8 bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function writeAll(file: number, bytes: Uint8Array): void {
  const most = 1 << 30; // one write of more than 2 GiB is refused
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(most, bytes.length - done));
}

/** Makes the rename itself durable; systems that cannot open a folder are left alone. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    // Windows refuses to open a folder; the file itself is synced.
  }
}

/** Where parsing failed: as V8 says, else the end of the shortest prefix that fails for another reason than being cut. */
function faultPosition(text: string, message: string): number {
  const stated = /at position (\d+)/.exec(message);
  if (stated) return Number(stated[1]);
  if (/end of JSON/.test(message)) return text.length;
  let good = 0;
  let bad = text.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isCutOnly(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function isCutOnly(prefix: string): boolean {
  try {
    JSON.parse(prefix);
    return true;
  } catch (error) {
    const stated = /at position (\d+)/.exec(messageOf(error));
    return stated ? Number(stated[1]) >= prefix.length : /end of JSON/.test(messageOf(error));
  }
}
