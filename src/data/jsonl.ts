/** Any folder of JSONL files (one per split, `train.jsonl`) or one JSONL file; image paths are relative to the file. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { readJsonLines } from "../io/json-lines.ts";
import { type Dataset, requirePath, splitFile, splitName, subset } from "./dataset.ts";
import { examplesOf, ownSplit, withSplit } from "./own-rows.ts";

export const jsonl: Dataset = {
  name: "jsonl",
  description:
    "your own data: one JSON object per line with image(s), question, answer, choices?, rationale?, subject?",
  licence: "yours",
  isOwn: true,
  obtain:
    'write a folder with train.jsonl, validation.jsonl, test.jsonl (or one file, with a field "split" or as the one ' +
    'split "all"), each line like {"image": "images/1.png", "question": "…", "answer": "…"}, and give it as path',

  async load(options) {
    const path = await requirePath(this, options.path);
    if (!(await stat(path)).isDirectory())
      return subset(ownSplit(await readFileRows(path), options.split, { set: "jsonl", path }), options);
    const names = (await readdir(path)).filter((name) => name.endsWith(".jsonl")).sort();
    requireOneFile(path, names);
    const files = Object.fromEntries(names.map((name) => [splitName(name.slice(0, -".jsonl".length)), name]));
    const split = splitName(options.split);
    const file = join(path, await splitFile(this, path, split, files));
    const examples = await readFileRows(file);
    requireOwnSplit(examples, file, split);
    return subset(withSplit(examples, split), options);
  },
};

/** Two names of one split ("val", "validation") leave open which of the files is meant. */
function requireOneFile(folder: string, names: readonly string[]): void {
  const splits = names.map((name) => splitName(name.slice(0, -".jsonl".length)));
  const second = splits.findIndex((split, i) => splits.indexOf(split) < i);
  if (second < 0) return;
  const [split, first] = [splits[second]!, names[splits.indexOf(splits[second]!)]!];
  throw new UserError(
    `dataset "jsonl": ${first} and ${names[second]} in ${folder} are both the split "${split}": keep or merge into one`,
  );
}

/** A row may name its split beside the file, but no other one. */
function requireOwnSplit(examples: readonly Example[], file: string, split: string): void {
  const other = examples.find(({ meta }) => meta.split !== undefined && splitName(meta.split) !== split);
  if (other === undefined) return;
  throw new UserError(
    `${file}: "${other.id}" says split "${other.meta.split}", and the file is the split "${split}": mend one of the two`,
  );
}

async function readFileRows(file: string): Promise<readonly Example[]> {
  const lines = readJsonLines(file, "questions");
  if (lines.length === 0) throw new UserError(`${file}: there is no row in it`);
  const rows = lines.map(({ value, where, line }) => ({
    value,
    where,
    id: `${basename(file)}:${line}`,
    folder: dirname(file),
  }));
  return examplesOf(rows, file);
}
