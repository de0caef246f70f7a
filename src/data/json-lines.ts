/** The lines of a JSONL file with where they stand; blank lines are passed over. */
import { messageOf, UserError } from "../core/errors.ts";
import { hiddenFault, readText } from "../io/files.ts";

export interface JsonLine {
  readonly value: unknown;
  readonly line: number;
  /** "FILE:LINE". */
  readonly where: string;
}

/** Throws UserError with file and line for a line that is no JSON, or that JSON.parse would change. */
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
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where}: not a JSON object: ${messageOf(cause)}`, { cause });
  }
  const fault = hiddenFault(line);
  if (fault !== null) throw new UserError(`${where}: ${fault}`);
  return value;
}
