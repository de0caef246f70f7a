/** Predictions written into a study before it ran, against what came out; each held, failed, or is undecided. */
import { crossedRatioDifference, holm, type PairedParts, ratioOf } from "../evaluate/index.ts";
import type { ScoredItem } from "../evaluate/run-statistics.ts";
import type { StudyPrediction } from "../runs/study-results.ts";
import type { Study } from "./load.ts";
import { studyMeasures } from "./measures.ts";
import { componentsOf } from "./power.ts";

/** An arm's last evaluation with one seed. */
export interface SeedItems {
  readonly seed: number;
  readonly items: readonly ScoredItem[];
}

type Prediction = Study["predicts"][number];

/**
 * Each prediction with the difference that it is about. "higher" and "lower" hold where the corrected p value is below 0.05
 * on their side of 0, and fail where it is on the other; "same" holds where the whole 95 % interval is within `margin` and
 * fails where the corrected p value is below 0.05. Else undecided. Holm over all predictions of the study.
 */
export function judgePredictions(
  predicts: Study["predicts"],
  of: (arm: string) => readonly SeedItems[],
  power: (prediction: Prediction) => StudyPrediction["power"],
): readonly StudyPrediction[] {
  const compared = predicts.map((prediction) => {
    const parts = pairedParts(prediction, of);
    return { prediction, parts, found: crossedRatioDifference(parts) };
  });
  const adjusted = holm(compared.flatMap(({ found }) => (found === null ? [] : [found.p])));
  let next = 0;
  return compared.map(({ prediction, parts, found }): StudyPrediction => {
    const { unit } = studyMeasures[prediction.measure];
    const asked = { ...prediction, unit, power: power(prediction) };
    if (found === null) return { ...asked, difference: null, values: null, components: null, verdict: "not run" };
    const difference = { ...found, p_holm: adjusted[next++]! };
    return {
      ...asked,
      difference,
      values: { arm: ratioOf(parts.map(({ arm }) => arm))!, against: ratioOf(parts.map(({ other }) => other))! },
      components: componentsOf(parts),
      verdict: verdictOf(prediction, difference),
    };
  });
}

function verdictOf(
  { direction, margin }: Prediction,
  { estimate, low, high, p_holm }: NonNullable<StudyPrediction["difference"]>,
): StudyPrediction["verdict"] {
  const differs = p_holm < 0.05;
  if (direction === "same") return differs ? "failed" : low > -margin! && high < margin! ? "held" : "undecided";
  if (!differs) return "undecided";
  return estimate > 0 === (direction === "higher") ? "held" : "failed";
}

/** The parts of both arms for every question that both answered with the same seed. */
export function pairedParts(
  { arm, against, measure }: Pick<Prediction, "arm" | "against" | "measure">,
  of: (arm: string) => readonly SeedItems[],
): readonly PairedParts[] {
  const { part } = studyMeasures[measure];
  const others = of(against);
  return of(arm).flatMap(({ seed, items }) => {
    const base = new Map(others.find((run) => run.seed === seed)?.items.map((item) => [item.example_id, item]));
    return items.flatMap((item): PairedParts[] => {
      const other = base.get(item.example_id);
      const [own, theirs] = [part(item), other === undefined ? null : part(other)];
      return own === null || theirs === null ? [] : [{ subject: item.subject_id, seed, arm: own, other: theirs }];
    });
  });
}
