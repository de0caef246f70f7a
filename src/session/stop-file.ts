/** The file in which viva calibrate keeps how thoughts are ended, and what that was found to cost. */
import * as z from "zod";
import { type Calibration, calibrate, type RuleFigures } from "../control/calibrate.ts";
import { traceThoughts } from "../control/traces.ts";
import type { StopOptions } from "../control/trial.ts";
import { UserError } from "../core/errors.ts";
import { readJson } from "../io/files.ts";
import { stopScores } from "./choices.ts";

export { type Calibration, calibrate, type RuleFigures, traceThoughts };

/** As it is written: a null threshold never ends a thought. */
export const stopFileSchema = z.looseObject({
  stop: z.enum(["confidence", "options"]),
  threshold: z.number().nullable(),
  min_sentences: z.int().min(1),
  score: z.enum(stopScores),
});

/** Throws UserError for a file that is none. */
export function readStopFile(path: string): StopOptions {
  const parsed = stopFileSchema.safeParse(readJson(path, "--stop: rule, or file of viva calibrate,"));
  if (!parsed.success) throw new UserError(`--stop ${path}: no file that viva calibrate wrote`);
  const { stop, threshold, min_sentences: minSentences, score } = parsed.data;
  if (threshold !== null) return { stop, threshold, minSentences, score };
  throw new UserError(`--stop ${path}: no threshold was found that saves tokens: leave --stop out`);
}
