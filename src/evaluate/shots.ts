/** Solved training examples before the questions of an evaluation. */
import type { Shots } from "../answers/prompts.ts";
import type { Example } from "../core/records.ts";
import { type InContextOptions, inContextExamples } from "../data/in-context.ts";
import { bootstrapMean, RESAMPLES } from "./bootstrap.ts";
import type { EvalItem } from "./score.ts";

/** As many of other subjects as asked for, drawn for each question. */
export function shotsFrom(train: readonly Example[], o: InContextOptions): (example: Example) => Shots {
  const drawn = inContextExamples(train, o);
  return (example) => ({ examples: drawn(example), target: "answer" });
}

/** What is recorded of an evaluation with solved examples: its accuracy, and which questions were right. */
export function shotFigures(shots: number, items: readonly EvalItem[]) {
  const strict = items.map((item) => item.strict);
  const subjects = items.map(({ subject_id }) => subject_id);
  const right = items.filter((item) => item.strict === 1).map(({ example_id }) => example_id);
  return { shots, accuracy: bootstrapMean(strict, subjects, { resamples: RESAMPLES.report }), right };
}
