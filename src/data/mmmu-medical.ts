/** The five health and medicine subjects of MMMU as parquet files; splits `dev`, `validation` and (unanswered) `test`. */
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type Dataset, requirePath, subset } from "./dataset.ts";
import { imageCell, imageRef, parquetSplits, readParquetRows, requireSplit } from "./parquet-splits.ts";
import { cellText, choiceOf, publishedExamples, requireDifferentOptions } from "./rows.ts";

const image = imageCell.nullish();
const rowSchema = z.object({
  id: z.string(),
  question: z.string(),
  options: z.string(),
  answer: z.string(),
  question_type: z.string(),
  subfield: z.string().default(""),
  topic_difficulty: z.string().default(""),
  image_1: image,
  image_2: image,
  image_3: image,
  image_4: image,
  image_5: image,
  image_6: image,
  image_7: image,
});

const subjects = [
  "Basic_Medical_Science",
  "Clinical_Medicine",
  "Diagnostics_and_Laboratory_Medicine",
  "Pharmacy",
  "Public_Health",
];

export const mmmuMedical: Dataset = {
  name: "mmmu_medical",
  description:
    "MMMU, health and medicine: 150 validation questions of five subjects (25 in dev), some with several images",
  licence: "Apache-2.0",
  hubName: "MMMU/MMMU",
  downloadable: true,
  obtain:
    "download the folders Basic_Medical_Science, Clinical_Medicine, Diagnostics_and_Laboratory_Medicine, Pharmacy and " +
    "Public_Health of MMMU/MMMU from the Hugging Face Hub, and give the folder that holds them as path; use the split " +
    "validation, for the answers of test are not public",

  async load(options) {
    const folder = await requirePath(this, options.path);
    const split = options.split === "val" ? "validation" : (options.split ?? "validation");
    const all: { readonly row: z.output<typeof rowSchema>; readonly place: Place }[] = [];
    for (const subject of subjects) {
      const splits = await devApart(join(folder, subject));
      if (splits.size === 0) continue;
      const rows = await readParquetRows(requireSplit(this.name, folder, split, splits), rowSchema);
      for (const { row, where } of rows) all.push({ row, place: { subject, split, where } });
    }
    const examples = publishedExamples(all, ({ row, place }) => toExample(row, place), options);
    if (examples.length === 0) {
      throw new UserError(`dataset "mmmu_medical": no parquet file in ${folder}. To get the data: ${this.obtain}`);
    }
    return subset(examples, options);
  },
};

/** MMMU has both a `dev` and a `validation` split, which elsewhere mean one thing. */
async function devApart(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const splits = new Map(await parquetSplits(folder));
  const both = splits.get("validation") ?? [];
  const dev = both.filter((file) => /[\\/]dev-[^\\/]*$/.test(file));
  if (dev.length > 0) splits.set("dev", dev);
  const rest = both.filter((file) => !dev.includes(file));
  if (rest.length > 0) splits.set("validation", rest);
  else splits.delete("validation");
  return splits;
}

interface Place {
  readonly subject: string;
  readonly split: string;
  readonly where: string;
}

function toExample(row: z.output<typeof rowSchema>, { subject, split, where }: Place): Example {
  const choices = row.question_type === "multiple-choice" ? pythonList(row.options, where) : [];
  const written = cellText(row.answer, "answer", where);
  if (written === "?") throw new UserError(`${where}: the answers of MMMU's test split are not public; use validation`);
  const right = written.charCodeAt(0) - 65;
  if (choices.length > 0 && (choices[right] === undefined || written.length !== 1)) {
    throw new UserError(`${where}: the answer "${written}" must be the letter of one of ${choices.length} options`);
  }
  const id = `mmmu_medical/${row.id}`;
  requireDifferentOptions(choices, id, where);
  const { image_1, image_2, image_3, image_4, image_5, image_6, image_7 } = row;
  const images = [image_1, image_2, image_3, image_4, image_5, image_6, image_7].flatMap((one) => one ?? []);
  if (images.length === 0) throw new UserError(`${where}: has no image`);
  return {
    id,
    subjectId: `mmmu_medical/${images[0]!.sha256.slice(0, 16)}`,
    question: cellText(row.question, "question", where),
    images: images.map(imageRef),
    ...(choices.length > 0 ? choiceOf(choices, right) : ({ answer: written, answerType: "open", choices } as const)),
    meta: { split, subject, question_type: row.subfield, difficulty: row.topic_difficulty },
  };
}

/** A list of texts as Python writes it: ['one', "two's"]. */
function pythonList(text: string, where: string): readonly string[] {
  const item = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/gy;
  const list: string[] = [];
  const inner = text
    .trim()
    .replace(/^\[\s*/, "")
    .replace(/\s*\]$/, "");
  while (item.lastIndex < inner.length) {
    const from = item.lastIndex;
    const match = item.exec(inner);
    if (match === null)
      throw new UserError(`${where}: the options are not a list of texts at character ${from + 1}: ${text}`);
    list.push((match[1] ?? match[2]!).replace(/\\(.)/g, (_, sign: string) => ESCAPES[sign] ?? sign));
    item.lastIndex += /^\s*,?\s*/.exec(inner.slice(item.lastIndex))![0].length;
  }
  return list;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t" };
