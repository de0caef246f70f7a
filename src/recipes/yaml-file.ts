/** Reads a user's YAML file and finds the line of each key, so that errors can name file and line. */
import { readFileSync } from "node:fs";
import { isNode, LineCounter, parseDocument } from "yaml";
import { encodingFault } from "../core/encoding.ts";
import { messageOf, UserError } from "../core/errors.ts";
import { reasonOf } from "../core/system-errors.ts";
import type { KeyPath } from "./problems.ts";

export interface YamlFile {
  readonly file: string;
  /** As plain data. */
  readonly value: unknown;
  /** "a.yaml, line 3": the line of the nearest existing key. */
  origin(path: KeyPath): string;
  has(path: KeyPath): boolean;
}

/** Reads the file; `what` names its kind, e.g. "recipe". Throws UserError. */
export function readYamlFile(file: string, what: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(readText(file, what), { lineCounter: lines, prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const reason = error.code === "MULTIPLE_DOCS" ? "one document is wanted, and --- begins another" : error.message;
    throw new UserError(`${file}, line ${line}, column ${col}: not valid YAML: ${reason}`);
  }
  if (document.contents === null) throw new UserError(`${file}: the ${what} is empty`);
  return {
    file,
    value: toPlain(() => document.toJS(), file),
    has: (path) => document.hasIn(path),
    origin(path) {
      for (let length = path.length; length > 0; length--) {
        const node = document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range) return `${file}, line ${lines.linePos(node.range[0]).line}`;
      }
      return file;
    },
  };
}

function readText(file: string, what: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new UserError(isMissing ? `${file}: no such ${what}` : `${file}: cannot be read: ${reasonOf(error)}`);
  }
  const fault = encodingFault(bytes);
  if (fault === null) return bytes.toString("utf8");
  throw new UserError(`${file}: ${fault}: save the file as UTF-8`);
}

function toPlain(read: () => unknown, file: string): unknown {
  try {
    return read();
  } catch (error) {
    throw new UserError(`${file}: not valid YAML: ${messageOf(error)}`); // e.g. exponentially growing aliases
  }
}
