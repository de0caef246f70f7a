/** Reads a calibration set for a judge: rationales with the verdicts of people. */
import * as z from "zod";
import { UserError } from "../../core/errors.ts";
import type { Example } from "../../core/records.ts";
import { readJsonLines } from "../../io/json-lines.ts";

export interface CalibrationRow {
  readonly example: Example;
  readonly completion: string;
  /** The human verdict on the reasoning. */
  readonly sound: boolean;
}

const rowSchema = z.strictObject({
  question: z.string().min(1),
  answer: z.string().min(1).describe("the reference"),
  choices: z.array(z.string()).optional(),
  rationale: z.string().optional().describe("the reference reasoning"),
  completion: z.string().min(1).describe("with its reasoning, as the policy writes it"),
  verdict: z.enum(["yes", "no"]),
  subject: z.string().optional(),
  rewards: z
    .record(z.string(), z.number().nullable())
    .optional()
    .describe("what rewards said; written by viva ui, not read"),
});

/** The rows of a JSONL file; throws UserError naming file, line and field. */
export function readCalibration(file: string): readonly CalibrationRow[] {
  const rows = readJsonLines(file, "the calibration set").map(({ value, where }) => readLine(value, where));
  if (rows.length === 0) throw new UserError(`${file} holds no rows; a row is ${SHAPE}`);
  return rows;
}

const SHAPE = '{"question": "…", "answer": "…", "completion": "…", "verdict": "yes" or "no"}';

function readLine(value: unknown, where: string): CalibrationRow {
  const read = rowSchema.safeParse(value);
  if (!read.success) {
    const issue = read.error.issues[0]!;
    const field = issue.path.length > 0 ? `field "${issue.path.join(".")}": ` : "";
    throw new UserError(`${where}: ${field}${issue.message}; a row is ${SHAPE}`);
  }
  const { question, answer, choices = [], rationale, completion, verdict, subject } = read.data;
  const example: Example = {
    id: where,
    subjectId: subject ?? where,
    question,
    images: [],
    answer,
    answerType: choices.length > 0 ? "choice" : "open",
    choices,
    ...(rationale === undefined ? {} : { rationale }),
    meta: {},
  };
  return { example, completion, sound: verdict === "yes" };
}
