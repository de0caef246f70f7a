/** MedXpertQA-MM: hard five-option questions with one or more images, as JSONL; splits `dev` (validation) and `test`. */
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type JsonLine, readJsonLines } from "../io/json-lines.ts";
import { type Dataset, exists, requirePath, splitFile, splitName, subset } from "./dataset.ts";
import { cellText, choiceOf, publishedExamples, readRow, requireDifferentOptions, requireUniqueIds } from "./rows.ts";

const rowSchema = z.object({
  id: z.string(),
  question: z.string(),
  options: z.record(z.string(), z.string()),
  label: z.string(),
  images: z.array(z.string()).min(1),
  medical_task: z.string().default(""),
  body_system: z.string().default(""),
  question_type: z.string().default(""),
});

const files = { validation: "dev.jsonl", test: "test.jsonl" } as const;

export const medxpertqaMm: Dataset = {
  name: "medxpertqa_mm",
  description: "MedXpertQA-MM: 2,000 expert questions with five options and one or more images (5 more in dev)",
  licence: "MIT",
  hubName: "TsinghuaC3I/MedXpertQA",
  obtain:
    "download TsinghuaC3I/MedXpertQA from the Hugging Face Hub, unpack images.zip to images/, and give the folder with " +
    "MM/test.jsonl and images/ as path",

  async load(options) {
    const folder = await requirePath(this, options.path);
    const questions = (await exists(join(folder, "MM"))) ? join(folder, "MM") : folder;
    const split = splitName(options.split ?? "test");
    const file = join(questions, await splitFile(this, questions, split, files));
    const read = ({ value, where }: JsonLine) => toExample(readRow(rowSchema, value, where), { folder, split, where });
    const examples = publishedExamples(readJsonLines(file, "questions"), read, options);
    requireUniqueIds(examples, file);
    return subset(examples, options);
  },
};

interface Place {
  readonly folder: string;
  readonly split: string;
  readonly where: string;
}

function toExample(row: z.output<typeof rowSchema>, { folder, split, where }: Place): Example {
  const letters = Object.keys(row.options).sort();
  const right = letters.indexOf(row.label.trim());
  if (right < 0) {
    throw new UserError(`${where}: the label "${row.label}" must be one of ${letters.join(", ")}`);
  }
  const choices = letters.map((letter) => cellText(row.options[letter]!, `option ${letter}`, where));
  const id = `medxpertqa_mm/${row.id}`;
  requireDifferentOptions(choices, id, where);
  return {
    id,
    subjectId: `medxpertqa_mm/${row.images[0]}`,
    question: withoutChoices(cellText(row.question, "question", where)),
    images: row.images.map((name) => ({ path: join(folder, "images", name) })),
    ...choiceOf(choices, right),
    meta: { split, question_type: row.question_type, task: row.medical_task, organ: row.body_system },
  };
}

/** The question repeats its options at the end ("Answer Choices: (A) …"), which the prompt lists anyway. */
function withoutChoices(question: string): string {
  const at = question.lastIndexOf("Answer Choices:");
  return at > 0 ? question.slice(0, at).trim() : question;
}
