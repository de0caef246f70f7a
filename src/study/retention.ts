/** What an arm keeps of questions that it is not trained on, beside what it gains on those it is, before and after. */
import { meanOf } from "../core/mean.ts";
import { crossedBootstrap } from "../evaluate/index.ts";
import type { ScoredItem } from "../evaluate/run-statistics.ts";
import type { StudyResults, StudyRetention } from "../runs/study-results.ts";
import type { Study } from "./load.ts";

/** An arm's first and last evaluation with one seed. */
export interface SeedEvaluations {
  readonly seed: number;
  readonly before: readonly ScoredItem[];
  readonly after: readonly ScoredItem[];
}

type Task = NonNullable<StudyRetention["arms"][number]["old"]>;

/**
 * Strict accuracy on the old and the new questions at the start and at the end of each arm, and the end less that of the
 * control arm, paired by question within a seed and pooled over seeds. Null for a study that does not ask for it.
 */
export function retentionOf(
  { retention, arms }: Study,
  of: (arm: string) => readonly SeedEvaluations[],
): StudyResults["retention"] {
  if (retention === null) return null;
  const { stratum, control } = retention;
  const task = (values: readonly string[], arm: string): Task | null => {
    const isOwn = ({ strata }: ScoredItem) => values.includes(strata[stratum] ?? "");
    const runs = of(arm).map(({ seed, before, after }) => {
      return { seed, before: before.filter(isOwn), after: after.filter(isOwn) };
    });
    const change = paired(runs.map(({ seed, before, after }) => ({ seed, from: before, to: after })));
    if (change === null) return null;
    const controls = new Map(of(control).map((run) => [run.seed, run.after.filter(isOwn)]));
    return {
      before: meanOf(runs.flatMap(({ before }) => before.map(({ strict }) => strict))),
      after: meanOf(runs.flatMap(({ after }) => after.map(({ strict }) => strict))),
      change,
      over_control:
        arm === control
          ? null
          : paired(runs.map(({ seed, after }) => ({ seed, from: controls.get(seed) ?? [], to: after }))),
    };
  };
  return {
    ...retention,
    arms: arms
      .filter(({ name }) => of(name).length > 0)
      .map(({ name }) => ({ name, old: task(retention.old, name), new: task(retention.new, name) })),
  };
}

/** The mean difference of the questions that both evaluations of a seed have; null without any. */
function paired(
  runs: readonly { readonly seed: number; readonly from: readonly ScoredItem[]; readonly to: readonly ScoredItem[] }[],
) {
  const values = runs.flatMap(({ seed, from, to }) => {
    const first = new Map(from.map((item) => [item.example_id, item.strict]));
    return to.flatMap(({ example_id, subject_id, strict }) => {
      const other = first.get(example_id);
      return other === undefined ? [] : [{ subject: subject_id, seed, value: strict - other }];
    });
  });
  return crossedBootstrap(values);
}
