/** Reads a judge's calibration set: rationales with human verdicts. */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { messageOf, UserError } from "../../core/errors.ts";
import type { Example } from "../../core/records.ts";

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
});

/** The rows of a JSONL file; throws UserError naming file, line and field. */
export function readCalibration(file: string): readonly CalibrationRow[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new UserError(`cannot read the calibration set ${file}: ${messageOf(cause)}`, { cause });
  }
  const rows = text.split("\n").flatMap((line, i): CalibrationRow[] => {
    return line.trim() === "" ? [] : [readLine(line, `${file}:${i + 1}`)];
  });
  if (rows.length === 0) throw new UserError(`${file} has no rows; a row is ${SHAPE}`);
  return rows;
}

const SHAPE = '{"question": "…", "answer": "…", "completion": "…", "verdict": "yes" or "no"}';

function readLine(line: string, where: string): CalibrationRow {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where}: not a JSON object: ${messageOf(cause)}`, { cause });
  }
  const read = rowSchema.safeParse(json);
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
