/** PMC-VQA: four-option questions about figures of articles, as CSV files; a subject is a figure. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type CsvRow, readCsv } from "../io/csv.ts";
import { type Dataset, exists, requirePath, splitFile, splitName, subset } from "./dataset.ts";
import { requireKnownColumns } from "./field-names.ts";
import { cellText, choiceOf, publishedExamples, readRow, requireDifferentOptions, writtenOption } from "./rows.ts";

/** The answer's column is spelled `Anwser` in some of the files, `Answer` in others. */
const columns = {
  Figure_path: z.string(),
  Question: z.string(),
  "Choice A": z.string(),
  "Choice B": z.string(),
  "Choice C": z.string(),
  "Choice D": z.string(),
  Anwser: z.string().optional(),
  Answer: z.string().optional(),
  Answer_label: z.string().optional(),
};
const rowSchema = z.looseObject(columns).refine((row) => (row.Answer_label ?? row.Anwser ?? row.Answer) !== undefined, {
  error: 'needs a column "Anwser", "Answer" or "Answer_label"',
});

const files = [
  { train: "train.csv", test: "test_clean.csv" },
  { train: "train_2.csv", test: "test_2.csv" },
  { train: "train.csv", test: "test.csv" },
];

export const pmcVqa: Dataset = {
  name: "pmc_vqa",
  description: "PMC-VQA: 227k four-option questions about article figures; tested on test_clean (2,000 questions)",
  licence: "CC-BY-SA-4.0 (figures by article)",
  hubName: "RadGenome/PMC-VQA",
  obtain:
    "download RadGenome/PMC-VQA from the Hugging Face Hub, unpack images.zip to images/ (images_2.zip to figures/), and " +
    "give the folder with train.csv and test_clean.csv (else train_2.csv and test_2.csv) as path",

  async load(options) {
    const folder = await requirePath(this, options.path);
    const split = splitName(options.split);
    const present = await readdir(folder).catch(() => [] as string[]);
    const named = files.find((pair) => present.includes(pair[split as keyof typeof pair])) ?? files[0]!;
    const file = join(folder, await splitFile(this, folder, split, named));
    const places = await imageFolders(folder);
    const rows = readCsv(file, "questions");
    if (rows[0] !== undefined) requireKnownColumns(Object.keys(rows[0].fields), Object.keys(columns), `${file}:1`);
    const read = ({ line, fields }: CsvRow, i: number) => {
      const where = `${file}:${line}`;
      return toExample(readRow(rowSchema, fields, where), { where, split, places, number: i + 1 });
    };
    const examples = publishedExamples(rows, read, options);
    return subset(await withImages(examples, places), options);
  },
};

interface Place {
  readonly where: string;
  readonly split: string;
  readonly places: readonly string[];
  readonly number: number;
}

function toExample(row: z.output<typeof rowSchema>, { where, split, places, number }: Place): Example {
  const choices = ["A", "B", "C", "D"].map((letter) => {
    const text = row[`Choice ${letter}` as "Choice A"].trim();
    return cellText(text.replace(new RegExp(`^${letter}\\s*:\\s*`), ""), `Choice ${letter}`, where);
  });
  const id = `pmc_vqa/${split}/${number}`;
  requireDifferentOptions(choices, id, where);
  const written = cellText(row.Answer_label ?? row.Anwser ?? row.Answer!, "answer", where);
  const index = /^[A-D]$/.test(written) ? written.charCodeAt(0) - 65 : writtenOption(written, choices);
  if (index < 0) throw new UserError(`${where}: the answer "${written}" must be A to D or the text of an option`);
  return {
    id,
    subjectId: `pmc_vqa/${row.Figure_path}`,
    question: cellText(row.Question, "question", where),
    images: [{ path: join(places[0]!, row.Figure_path) }],
    ...choiceOf(choices, index),
    meta: { split },
  };
}

async function imageFolders(folder: string): Promise<readonly string[]> {
  const candidates = ["images", "figures", "images_2"].map((name) => join(folder, name));
  const there = await Promise.all(candidates.map(exists));
  const places = candidates.filter((_, i) => there[i]);
  return places.length > 0 ? places : candidates.slice(0, 1);
}

/** Each image in the first folder that has it. */
async function withImages(examples: readonly Example[], places: readonly string[]): Promise<readonly Example[]> {
  if (places.length < 2) return examples;
  const names = new Map<string, string>();
  for (const place of [...places].reverse())
    for (const name of await readdir(place)) names.set(name, join(place, name));
  return examples.map((example) => {
    const name = example.subjectId.slice("pmc_vqa/".length);
    const path = names.get(name);
    return path === undefined ? example : { ...example, images: [{ path }] };
  });
}
