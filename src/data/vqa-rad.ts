/** VQA-RAD in the MEVF layout (trainset.json, testset.json, images/) or as the Hub's parquet files; a subject is an image. */
import { join } from "node:path";
import { z } from "zod";
import type { Example } from "../core/records.ts";
import { readExactJson } from "../io/files.ts";
import { type Dataset, requirePath, splitFile, splitName, subset } from "./dataset.ts";
import { loadHubVqa } from "./hub-vqa.ts";
import { cellText, readAnswerType, readRows, requireUniqueIds } from "./rows.ts";

const rowSchema = z.object({
  qid: z.union([z.number(), z.string()]),
  image_name: z.string(),
  image_organ: z.string().default(""),
  question: z.string(),
  answer: z.union([z.string(), z.number()]),
  answer_type: z.string(),
  question_type: z.string().default("OTHER"),
  phrase_type: z.string().default(""),
});

const files = { train: "trainset.json", test: "testset.json" } as const;

export const vqaRad: Dataset = {
  name: "vqa_rad",
  description: "VQA-RAD: clinicians' questions about 315 head, chest and abdomen images (3,064 train, 451 test)",
  licence: "CC0-1.0",
  hubName: "flaviagiammarino/vqa-rad",
  obtain:
    "download the MEVF package of VQA-RAD (https://github.com/aioz-ai/MICCAI19-MedVQA) into a folder with " +
    "trainset.json, testset.json and images/, and give that folder as path",

  async load(options) {
    const folder = await requirePath(this, options.path);
    const split = splitName(options.split);
    const hub = await loadHubVqa(this.name, folder, split);
    if (hub !== null) return subset(hub, options);
    const file = join(folder, await splitFile(this, folder, split, files));
    const rows = readRows(rowSchema, readExactJson(file, "questions"), file);
    const examples = rows.map((row, i) => toExample(row, folder, split, `${file}, row ${i + 1}`));
    requireUniqueIds(examples, file);
    return subset(examples, options);
  },
};

function toExample(row: z.infer<typeof rowSchema>, folder: string, split: string, where: string): Example {
  return {
    id: `vqa_rad/${split}/${row.qid}`,
    subjectId: `vqa_rad/${row.image_name}`,
    question: cellText(row.question, "question", where),
    images: [{ path: join(folder, "images", row.image_name) }],
    answer: cellText(row.answer, "answer", where),
    answerType: readAnswerType(row.answer_type, where),
    choices: [],
    meta: {
      split,
      organ: row.image_organ.trim(),
      question_type: questionType(row.question_type),
      phrase_type: row.phrase_type.trim(),
    },
  };
}

/** Several types in one order, without the two misspellings of the data ("PRSE", "ATRIB") and the one in lower case. */
function questionType(written: string): string {
  const types = written.split(",").map((type) => type.trim().toUpperCase());
  return types
    .map((type) => ({ PRSE: "PRES", ATRIB: "ATTRIB" })[type] ?? type)
    .sort()
    .join(", ");
}
