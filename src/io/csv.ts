/**
 * Rows of a CSV file (RFC 4180: quoted fields may hold commas, line ends and doubled quotes) by the names of its header, with
 * semicolons or tabs between fields where the header has no comma: spreadsheets write them where a comma is the decimal sign.
 */
import { UserError } from "../core/errors.ts";
import { readText } from "./files.ts";

export interface CsvRow {
  /** Line on which the row begins, from 1. */
  readonly line: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** Throws UserError naming file and line for a row with more or fewer fields than the header, an open quote or a column named twice. */
export function readCsv(path: string, what: string): readonly CsvRow[] {
  const [header, ...records] = parse(readText(path, what).replace(/^\ufeff/, ""), path);
  if (header === undefined) throw new UserError(`${path}: the file is empty`);
  const names = header.fields.map((name) => name.trim());
  const repeated = names.find((name, i) => name !== "" && names.indexOf(name) < i);
  if (repeated !== undefined)
    throw new UserError(`${path}:1: the header names the column "${repeated}" twice: keep one`);
  return records.map(({ line, fields }) => {
    if (fields.length !== names.length) {
      throw new UserError(`${path}:${line}: ${fields.length} fields, where the header has ${names.length}`);
    }
    return { line, fields: Object.fromEntries(names.map((name, i) => [name, fields[i]!])) };
  });
}

function parse(text: string, path: string) {
  const records: { readonly line: number; readonly fields: string[] }[] = [];
  const separator = separatorOf(text);
  const field = new RegExp(`(?:"((?:[^"]|"")*)"|([^"${separator}\\r\\n]*))(${separator}|\\r?\\n|$)`, "y");
  let line = 1;
  let record: { readonly line: number; readonly fields: string[] } = { line, fields: [] };
  while (field.lastIndex < text.length || record.fields.length > 0) {
    const match = field.exec(text);
    if (match === null) throw new UserError(`${path}:${line}: a quote is not closed, or is within a field`);
    const [whole, quoted, bare, end] = match;
    record.fields.push(quoted?.replaceAll('""', '"') ?? bare!);
    line += whole.split("\n").length - 1;
    if (end === separator) continue;
    if (record.fields.length > 1 || record.fields[0] !== "") records.push(record);
    record = { line, fields: [] };
    if (field.lastIndex >= text.length) break;
  }
  return records;
}

/** What stands between the names of the header, outside their quotes. */
function separatorOf(text: string): string {
  const [header = ""] = /^(?:"(?:[^"]|"")*"|[^"\r\n])*/.exec(text) ?? [];
  const unquoted = header.replaceAll(/"(?:[^"]|"")*"/g, "");
  return [",", ";", "\t"].find((sign) => unquoted.includes(sign)) ?? ",";
}
