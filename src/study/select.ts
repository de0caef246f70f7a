/** Selects the runs of a study to execute: some of its arms and seeds, and their dependencies. */
import { UserError } from "../core/errors.ts";
import { type Study, withNeeded } from "./load.ts";
import { type PlannedRun, planRuns } from "./plan.ts";

/** Default all. */
export interface StudyChoice {
  readonly arms?: readonly string[];
  readonly seeds?: readonly number[];
}

/**
 * The selected runs and their dependencies. The whole study is planned, so that a later selection finds the same
 * folders.
 */
export function selectRuns(study: Study, { arms, seeds }: StudyChoice): readonly PlannedRun[] {
  const unknown = seeds?.find((seed) => !study.seeds.includes(seed));
  if (unknown !== undefined)
    throw new UserError(`seeds: ${unknown} is not one of the study's ${study.seeds.join(", ")}`);
  const wanted = new Set((arms === undefined ? study.arms : withNeeded(study, arms)).map(({ name }) => name));
  const all = planRuns(study);
  const needed = new Set<string>();
  for (const { folder, arm, seed, parent, weights } of all.toReversed()) {
    const asked = arm !== null && wanted.has(arm) && (seeds === undefined || seeds.includes(seed));
    if (!asked && !needed.has(folder)) continue;
    for (const one of [folder, parent, weights]) if (one !== null) needed.add(one);
  }
  return all.filter(({ folder }) => needed.has(folder));
}
