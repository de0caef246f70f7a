/** All that is told of a run at once. */
import type { Library } from "./library.ts";
import type { Line } from "./lines.ts";
import { type MetricColumns, metricColumns } from "./metric-columns.ts";
import { reportIn } from "./report-file.ts";
import { type RunNotes, readNotes } from "./run-notes.ts";
import { openAlarms, type RunRow } from "./run-row.ts";
import type { RunView } from "./run-view.ts";
import { type ShownEvaluation, shownEvaluation } from "./tail.ts";

export interface RunDetail {
  readonly row: RunRow;
  readonly position: string;
  readonly metrics: MetricColumns;
  readonly events: readonly Line[];
  /** Those that are open and were not seen to. */
  readonly alarms: readonly Line[];
  readonly evaluations: readonly ShownEvaluation[];
  readonly groups: number;
  readonly unreadable: number;
  readonly recipe: string;
  readonly folder: string;
  readonly weights: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly notes: RunNotes;
  /** Whether its report lies in the folder. */
  readonly report: boolean;
}

export function runDetail(library: Library, run: RunView): RunDetail {
  const notes = readNotes(run.found.folder);
  return {
    row: library.row(run.found.id),
    position: run.position(),
    metrics: metricColumns(run.metrics),
    events: run.events,
    alarms: openAlarms(run.events, notes),
    evaluations: run.evaluations.map(shownEvaluation),
    groups: run.groups.count,
    unreadable: run.groups.unreadable,
    recipe: run.recipe.yaml,
    folder: run.found.folder,
    weights: rewardWeights(run),
    notes,
    report: reportIn(run.found.folder) !== null,
  };
}

/** Weights of the rewards by kind of stage; those that move during a stage are left out. */
function rewardWeights(run: RunView): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const stages = run.recipe.values?.["stages"];
  const weights: Record<string, Record<string, number>> = {};
  for (const stage of Array.isArray(stages) ? (stages as readonly Line[]) : []) {
    for (const [name, options] of Object.entries((stage?.["rewards"] ?? {}) as Line)) {
      const weight = typeof options === "number" ? options : (options as Line | null)?.["weight"];
      const kind = String(stage["kind"]);
      if (typeof weight === "number") weights[kind] = { ...weights[kind], [name]: weight };
    }
  }
  return weights;
}
