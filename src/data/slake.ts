/** SLAKE 1.0, its English questions: train.json, validate.json, test.json and imgs/; splits are image-disjoint. */
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Example } from "../core/records.ts";
import { readExactJson } from "../io/files.ts";
import { type Dataset, exists, requirePath, splitFile, splitName, subset } from "./dataset.ts";
import { cellText, readAnswerType, readRows, requireUniqueIds } from "./rows.ts";

const rowSchema = z.object({
  qid: z.union([z.number(), z.string()]),
  img_name: z.string(),
  question: z.string(),
  answer: z.union([z.string(), z.number()]),
  answer_type: z.string(),
  q_lang: z.string(),
  content_type: z.string().default(""),
  modality: z.string().default(""),
  location: z.string().default(""),
  base_type: z.string().default(""),
});

const files = { train: "train.json", validation: "validate.json", test: "test.json" } as const;
/** The Hub's copy names one of them otherwise. */
const hubFiles = { ...files, validation: "validation.json" } as const;

export const slake: Dataset = {
  name: "slake",
  description: "SLAKE (English): 642 CT, MRI and X-ray images, 4,919 / 1,053 / 1,061 questions, some needing knowledge",
  licence: "CC-BY-4.0",
  hubName: "BoKelvin/SLAKE",
  downloadable: true,
  obtain:
    "download Slake1.0 (https://www.med-vqa.com/slake/ or the dataset BoKelvin/SLAKE on the Hugging Face Hub, " +
    "imgs.zip unpacked) into a folder with train.json, validate.json, test.json and imgs/, and give that folder as path",

  async load(options) {
    const folder = await requirePath(this, options.path);
    const split = splitName(options.split);
    const file = join(
      folder,
      await splitFile(this, folder, split, (await exists(join(folder, hubFiles.validation))) ? hubFiles : files),
    );
    const rows = readRows(rowSchema, readExactJson(file, "questions"), file);
    const examples = rows.flatMap((row, i) =>
      row.q_lang === "en" ? [toExample(row, folder, split, `${file}, row ${i + 1}`)] : [],
    );
    requireUniqueIds(examples, file);
    return subset(examples, options);
  },
};

function toExample(row: z.infer<typeof rowSchema>, folder: string, split: string, where: string): Example {
  return {
    id: `slake/${split}/${row.qid}`,
    subjectId: `slake/${dirname(row.img_name)}`,
    question: cellText(row.question, "question", where),
    images: [{ path: join(folder, "imgs", row.img_name) }],
    answer: cellText(row.answer, "answer", where),
    answerType: readAnswerType(row.answer_type, where),
    choices: [],
    meta: {
      split,
      modality: row.modality,
      organ: row.location,
      location: row.location,
      content_type: row.content_type,
      base_type: row.base_type,
    },
  };
}
