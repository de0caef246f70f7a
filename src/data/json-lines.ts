/** The lines of a JSONL file with where they stand; blank lines are skipped. */
import { messageOf, UserError } from "../core/errors.ts";
import { readText } from "../io/files.ts";

export interface JsonLine {
  readonly value: unknown;
  readonly line: number;
  /** "FILE:LINE". */
  readonly where: string;
}

/** Throws UserError with file and line for a line that is no JSON. */
export function readJsonLines(file: string): readonly JsonLine[] {
  const lines = readText(file, "questions")
    .replace(/^\ufeff/, "")
    .split("\n");
  return lines.flatMap((text, i) => {
    const where = `${file}:${i + 1}`;
    return text.trim() === "" ? [] : [{ value: parseLine(text, where), line: i + 1, where }];
  });
}

function parseLine(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where}: not a JSON object: ${messageOf(cause)}`, { cause });
  }
}
