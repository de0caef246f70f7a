/** viva data import: files of other tools as viva's own JSONL, shown before anything is trained. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { whileWriting } from "../core/system-errors.ts";
import { type Imported, type ImportedSplit, importRows } from "../data/index.ts";
import { locateDataset } from "../session/sources.ts";
import type { Interruption } from "./arguments.ts";
import { downloadReporter, writeJsonLines } from "./options.ts";

interface ImportOptions {
  readonly to: string;
  readonly columns: Readonly<Record<string, string | readonly string[]>>;
  readonly images?: string;
  readonly turns: "one" | "first" | "each";
  readonly split: string;
  readonly json?: boolean;
}

/** Rows shown of each split. */
const SHOWN = 2;

export function importCommand(interruption: Interruption): Command {
  return new Command("import")
    .description("show what rows another tool's file holds, and write them as JSONL with their images")
    .argument("<path>", "a file or a folder: parquet, Arrow (datasets.save_to_disk), JSON, JSON lines or CSV")
    .argument("[folder]", "where to write; without it, nothing is written")
    .addOption(new Option("--to <format>", "what is written").choices(["jsonl"]).default("jsonl"))
    .option(
      "--columns <field=column,…>",
      "which column holds a field: question=Q,answer=A,choices=A+B+C",
      parseColumns,
      {},
    )
    .option("--images <folder>", "what image paths count from (default: the file's folder)")
    .addOption(
      new Option(
        "--turns <which>",
        "of a chat with several questions: leave it out, take the first, or ask each by itself",
      )
        .choices(["one", "first", "each"])
        .default("one"),
    )
    .option("--split <name>", "what rows without a split are called", "all")
    .option("--json", "the same as JSON")
    .action((path: string, folder: string | undefined, options: ImportOptions) =>
      interruption.during((signal) => runImport(path, folder ?? null, options, signal)),
    );
}

async function runImport(path: string, folder: string | null, o: ImportOptions, signal: AbortSignal): Promise<void> {
  const reporter = downloadReporter();
  const source = await locateDataset(path, { key: "data import", reporter, signal });
  const { columns, images = null, turns, split } = o;
  const onRow = (done: number) => reporter.progress({ what: "reading rows", done, total: null });
  const imported = await importRows(source.folder, { columns, images, turns, split, folder }, onRow);
  const rows = imported.splits.reduce((sum, own) => sum + own.rows.length, 0);
  reporter.progress({ what: "reading rows", done: rows, total: rows });
  if (folder !== null) requireFree(folder, imported.splits);
  const files = folder === null || rows === 0 ? [] : imported.splits.flatMap((own) => writeSplit(folder, own));
  if (o.json) console.log(JSON.stringify(asJson(imported, files)));
  else console.log(asText(source.folder, imported, files));
  if (rows === 0) throw new UserError(`${path}: none of its rows is a question that can be asked`);
}

/** Questions that somebody wrote by hand may lie there. */
function requireFree(folder: string, splits: readonly ImportedSplit[]): void {
  const taken = splits.map(({ split }) => join(folder, `${split}.jsonl`)).find((file) => existsSync(file));
  if (taken !== undefined) throw new UserError(`${taken} is there already: name another folder, or remove it`);
}

function writeSplit(folder: string, { split, rows }: ImportedSplit): readonly string[] {
  if (rows.length === 0) return [];
  whileWriting(folder, () => makeFolder(folder));
  const file = join(folder, `${split}.jsonl`);
  writeJsonLines(file, rows);
  return [file];
}

function asJson({ splits, ...about }: Imported, written: readonly string[]) {
  const counted = splits.map(({ split, rows, images, leftOut }) => {
    return { split, rows: rows.length, images, left_out: leftOut, first_rows: rows.slice(0, SHOWN) };
  });
  return { ...about, splits: counted, written };
}

function asText(path: string, { container, layout, columns, splits }: Imported, written: readonly string[]): string {
  const lines = [`${path}: ${container}, ${layout}`, `columns: ${columns.join(", ")}`];
  for (const { split, rows, images, leftOut } of splits) {
    lines.push("", `${split}: ${rows.length} questions, ${images} images`);
    for (const { reason, count, first } of leftOut) {
      const more = count > first.length ? ", …" : "";
      lines.push(`  ${count} left out: ${reason}`, `    ${first.join(", ")}${more}`);
    }
    for (const row of rows.slice(0, SHOWN)) lines.push(`  ${shortened(JSON.stringify(row))}`);
  }
  return [
    ...lines,
    "",
    ...(written.length === 0 ? ["nothing is written"] : written.map((file) => `written: ${file}`)),
  ].join("\n");
}

const shortened = (text: string) => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

/** "question=Q,choices=A+B" as { question: "Q", choices: ["A", "B"] }. */
function parseColumns(text: string): Readonly<Record<string, string | readonly string[]>> {
  const pairs = text.split(",").map((pair) => /^([^=]+)=(.+)$/.exec(pair.trim()));
  if (pairs.some((pair) => pair === null)) {
    throw new InvalidArgumentError("Expected fields with their columns, as question=Q,answer=A.");
  }
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, field, columns] = pair!;
      return [field!.trim(), columns!.includes("+") ? columns!.split("+") : columns!];
    }),
  );
}
