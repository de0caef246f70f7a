/** The kinds of files that rows are read from: a new one is an object here, or a file and a line. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.ts";
import { readCsv } from "../../io/csv.ts";
import { fileError, readExactJson } from "../../io/files.ts";
import { readJsonLines } from "../../io/json-lines.ts";
import { openParquet } from "../../io/parquet.ts";
import { splitName } from "../dataset.ts";
import { requireAllShards } from "../shards.ts";
import { arrow, savedSplits } from "./arrow.ts";
import { type Container, type Fields, type FileRow, fileRow } from "./container.ts";

const parquet: Container = {
  name: "parquet",
  extensions: [".parquet"],
  recognises: (head) => head.toString("latin1", 0, 4) === "PAR1",
  async *rows(path) {
    const file = await openParquet(path);
    try {
      let number = 0;
      for await (const fields of file.rows()) yield fileRow(fields, path, ++number);
    } finally {
      await file.close();
    }
  },
};

const jsonLines: Container = {
  name: "JSON lines",
  extensions: [".jsonl"],
  recognises: (head, file) => file.endsWith(".jsonl") || /^\s*\{[^\n]*\}\s*\n\s*\{/.test(head.toString("utf8")),
  rows: (file) =>
    readJsonLines(file, "rows").map(({ value, where, line }) => {
      return { fields: fieldsOf(value, where), file, number: line, where };
    }),
};

const json: Container = {
  name: "JSON",
  extensions: [".json"],
  recognises: (head) => /^\s*(?:\[|\{)/.test(head.toString("utf8").replace(/^\ufeff/, "")),
  rows: (file) => {
    const rows = listOf(readExactJson(file, "rows"), file);
    return rows.map((row, i) => fileRow(fieldsOf(row, `${file}, row ${i + 1}`), file, i + 1));
  },
};

const csv: Container = {
  name: "CSV",
  extensions: [".csv"],
  recognises: (_, file) => file.toLowerCase().endsWith(".csv"),
  rows: (file) => {
    return readCsv(file, "rows").map(({ fields, line: number }) => ({
      fields,
      file,
      number,
      where: `${file}:${number}`,
    }));
  },
};

/** The first that recognises a file has it. */
export const containers: readonly Container[] = [parquet, arrow, jsonLines, json, csv];

/** The files of each split of a path, and what they are. A single file, and one in a folder that names no split, is "all". */
export interface Located {
  readonly container: Container;
  readonly splits: ReadonlyMap<string, readonly string[]>;
}

/** Throws UserError for what is no file of a known kind. */
export function locateRows(path: string): Located {
  if (!statSync(path).isDirectory()) return { container: containerOf(path), splits: new Map([["all", [path]]]) };
  const saved = savedSplits(path);
  if (saved !== null) return { container: arrow, splits: saved };
  const names = [path, join(path, "data")].flatMap((folder) => list(folder).map((name) => join(folder, name)));
  const container = containers.find(({ extensions }) => names.some((name) => endsIn(name, extensions)));
  if (container === undefined) {
    const known = containers.flatMap(({ extensions }) => extensions).join(", ");
    throw new UserError(
      `${path} holds no file of rows: expected names ending in ${known}, or a folder of save_to_disk`,
    );
  }
  const splits = new Map<string, string[]>();
  for (const file of names.filter((name) => endsIn(name, container.extensions)).sort()) {
    const split = splitOf(file);
    splits.set(split, [...(splits.get(split) ?? []), file]);
  }
  for (const [split, files] of splits) {
    requireAllShards(`the split "${split}" in ${path}`, files);
    if (split !== "all") requireOneSource(split, files, names);
  }
  return { container, splits };
}

/** Two names of one split ("val", "validation"), or files of it in two formats, leave open which are meant. */
function requireOneSource(split: string, files: readonly string[], names: readonly string[]): void {
  const [first = ""] = files;
  const isRows = (name: string) => containers.some(({ extensions }) => endsIn(name, extensions));
  const kind = (file: string) => file.replace(/.*\./, "").toLowerCase();
  const other =
    files.find((file) => wordOf(file) !== wordOf(first)) ??
    names.find((name) => isRows(name) && splitOf(name) === split && kind(name) !== kind(first));
  if (other === undefined) return;
  throw new UserError(`${first} and ${other} are both the split "${split}": keep or merge into one`);
}

function containerOf(file: string): Container {
  const head = readStart(file);
  const found = containers.find((container) => container.recognises(head, file));
  if (found !== undefined) return found;
  const known = containers.map(({ name }) => name).join(", ");
  throw new UserError(`${file} is in no known format: ${known} are read`);
}

function readStart(file: string): Buffer {
  try {
    const handle = openSync(file, "r");
    try {
      const start = Buffer.alloc(65_536);
      return start.subarray(0, readSync(handle, start));
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw fileError(file, "rows", error);
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

const endsIn = (name: string, ends: readonly string[]) => ends.some((end) => name.toLowerCase().endsWith(end));

/** The split that a file's name begins with: "train-00000-of-00002-….parquet", "val.json". */
function splitOf(file: string): string {
  const split = splitName(wordOf(file));
  return ["train", "validation", "test"].includes(split) ? split : "all";
}

function wordOf(file: string): string {
  return (/([A-Za-z]+)/.exec(file.replace(/.*[/\\]/, ""))?.[1] ?? "").toLowerCase();
}

/** The rows of a JSON file: a list, or the one list in an object. */
function listOf(value: unknown, file: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const lists =
    typeof value === "object" && value !== null ? Object.entries(value).filter(([, v]) => Array.isArray(v)) : [];
  if (lists.length === 1) return lists[0]![1] as unknown[];
  throw new UserError(`${file}: expected a list of rows, or an object with one list in it`);
}

function fieldsOf(value: unknown, where: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new UserError(`${where}: expected an object of fields`);
}

/** All rows of files, one after the other. */
export async function* rowsOf(container: Container, files: readonly string[]): AsyncGenerator<FileRow> {
  for (const file of files) yield* container.rows(file);
}
