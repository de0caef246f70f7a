/** What a pilot says of the power of a study's predictions. */
import { existsSync, readFileSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { type StudyPrediction, studyResultsSchema } from "../runs/study-results.ts";
import type { Study } from "./load.ts";
import { powerOf } from "./power.ts";

type Prediction = Study["predicts"][number];

/**
 * The power of a prediction with the study's seeds and the pilot's questions, by the pilot's prediction of the same arms and
 * measure; null without a pilot, or where it has none of two seeds. Throws UserError for a file that is no study.json.
 */
export function pilotPower({ pilot, seeds }: Study): (prediction: Prediction) => StudyPrediction["power"] {
  if (pilot === null) return () => null;
  const known = readPilot(pilot);
  return ({ arm, against, measure, direction, margin }) => {
    const found = known.find((one) => one.arm === arm && one.against === against && one.measure === measure);
    if (found?.components == null || found.difference === null) return null;
    const effect = direction === "same" ? margin! : found.difference.estimate;
    return powerOf(found.components, seeds.length, found.difference.subjects, effect);
  };
}

function readPilot(file: string): readonly StudyPrediction[] {
  if (!existsSync(file)) throw new UserError(`pilot: nothing at ${file}`);
  try {
    return studyResultsSchema.parse(JSON.parse(readFileSync(file, "utf8"))).predictions;
  } catch (error) {
    throw new UserError(`pilot: ${file} is no study.json of this version of viva`, { cause: error });
  }
}
