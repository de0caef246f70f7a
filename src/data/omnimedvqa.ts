/** OmniMedVQA: two- to four-option questions made from 73 classification sets, as JSON lists; one split, `test`. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { MissingSplit, UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { readExactJson } from "../io/files.ts";
import { type Dataset, requirePath, splitName, subset } from "./dataset.ts";
import {
  cellText,
  choiceOf,
  publishedExamples,
  readRows,
  requireDifferentOptions,
  requireUniqueIds,
  writtenOption,
} from "./rows.ts";

const option = z.string().nullish();
const rowSchema = z.object({
  dataset: z.string(),
  question_id: z.string(),
  question_type: z.string().default(""),
  question: z.string(),
  gt_answer: z.string(),
  image_path: z.string(),
  option_A: option,
  option_B: option,
  option_C: option,
  option_D: option,
  modality_type: z.string().optional(),
  modality: z.string().optional(),
});

export const omnimedvqa: Dataset = {
  name: "omnimedvqa",
  description: "OmniMedVQA: 88,996 option questions on 82,059 images of 12 modalities in its open part; test only",
  licence: "by source set",
  hubName: "foreverbeliever/OmniMedVQA",
  obtain:
    "download OmniMedVQA.zip (foreverbeliever/OmniMedVQA on the Hugging Face Hub), unpack it, and give the folder with " +
    "QA_information/Open-access/*.json and Images/ as path",

  async load(options) {
    const folder = await requirePath(this, options.path);
    const split = splitName(options.split ?? "test");
    if (split !== "test") throw new MissingSplit(`dataset "omnimedvqa": no split "${split}"; its one split is test`);
    const questions = join(folder, "QA_information", "Open-access");
    const names = (await readdir(questions).catch(() => [] as string[]))
      .filter((name) => name.endsWith(".json"))
      .sort();
    if (names.length === 0) {
      throw new UserError(`dataset "omnimedvqa": no JSON file in ${questions}. To get the data: ${this.obtain}`);
    }
    const rows = names.flatMap((name) => {
      const file = join(questions, name);
      const own = readRows(rowSchema, readExactJson(file, "questions"), file);
      return own.map((row, i) => ({ row, where: `${file}, row ${i + 1}` }));
    });
    const examples = publishedExamples(rows, ({ row, where }) => toExample(row, folder, where), options);
    requireUniqueIds(examples, questions);
    return subset(examples, options);
  },
};

function toExample(row: z.output<typeof rowSchema>, folder: string, where: string): Example {
  const choices = [row.option_A, row.option_B, row.option_C, row.option_D].flatMap((text) => text?.trim() || []);
  const answer = cellText(row.gt_answer, "gt_answer", where);
  if (choices.length < 2) throw new UserError(`${where}: needs at least the options option_A and option_B`);
  const id = `omnimedvqa/${row.dataset}/${row.question_id}`;
  requireDifferentOptions(choices, id, where);
  const right = writtenOption(answer, choices);
  if (right < 0) {
    throw new UserError(`${where}: the answer "${answer}" must be one of the options: ${choices.join(" | ")}`);
  }
  return {
    id,
    subjectId: `omnimedvqa/${row.image_path}`,
    question: cellText(row.question, "question", where),
    images: [{ path: join(folder, row.image_path) }],
    ...choiceOf(choices, right),
    meta: {
      split: "test",
      modality: row.modality_type ?? row.modality ?? "",
      question_type: row.question_type,
      source: row.dataset,
    },
  };
}
