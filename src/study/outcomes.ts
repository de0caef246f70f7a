/** Every measure in which arms can differ from the reference, beside strict accuracy, with the same pairing and resampling. */
import { RESAMPLES } from "../evaluate/bootstrap.ts";
import { crossedRatioDifference, holm, type PairedParts, ratioOf } from "../evaluate/index.ts";
import type { StudyOutcome } from "../runs/study-results.ts";
import { type MeasureName, studyMeasures } from "./measures.ts";
import { pairedParts, type SeedItems } from "./predictions.ts";

/** Those that at least one arm and the reference have; Holm over the arms of each. */
export function outcomesOf(
  arms: readonly string[],
  reference: string,
  of: (arm: string) => readonly SeedItems[],
): StudyOutcome[] {
  const measures = (Object.keys(studyMeasures) as MeasureName[]).filter((measure) => measure !== "accuracy");
  return measures.flatMap((measure): StudyOutcome[] => {
    const { about, unit, better } = studyMeasures[measure];
    const found = arms.flatMap((arm) => {
      if (arm === reference) return [];
      const parts = pairedParts({ arm, against: reference, measure }, of);
      const difference = crossedRatioDifference(parts, { resamples: RESAMPLES.report });
      return difference === null ? [] : [{ arm, difference, by_seed: differencesBySeed(parts) }];
    });
    if (found.length === 0) return [];
    const adjusted = holm(found.map(({ difference }) => difference.p));
    const rows = found.map(({ arm, difference, by_seed }, i) => {
      return { arm, difference: { ...difference, p_holm: adjusted[i]!, by_seed } };
    });
    return [{ measure, about, unit, better, arms: rows }];
  });
}

function differencesBySeed(parts: readonly PairedParts[]) {
  return [...new Set(parts.map(({ seed }) => seed))].flatMap((seed) => {
    const own = parts.filter((part) => part.seed === seed);
    const [arm, other] = [ratioOf(own.map((part) => part.arm)), ratioOf(own.map((part) => part.other))];
    return arm === null || other === null ? [] : [{ seed, difference: arm - other }];
  });
}
