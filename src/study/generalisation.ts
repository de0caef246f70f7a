/** The matrix of a study: accuracy by what arms were trained on and tested on, from the records of their runs. */
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import { generalisation } from "../evaluate/metrics/generalisation.ts";
import { milestones, type ScoredItem } from "../evaluate/run-statistics.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { isFinished, runPaths } from "../runs/run-folder.ts";
import type { StudyGeneralisation } from "../runs/study-results.ts";
import type { StudyPaths } from "./folder.ts";
import type { Study } from "./load.ts";
import type { PlannedRun } from "./plan.ts";

/** Accuracy by value of the stratum. */
type ByValue = ReadonlyMap<string, number>;

/** A run before and after training, by solved examples before each question; 0 is the evaluation itself. */
type RunScores = ReadonlyMap<number, { readonly before: ByValue; readonly after: ByValue }>;

/** `of` gives an arm's runs. */
export function generalisationOf(
  { stratum: asked, trained_on }: NonNullable<Study["generalisation"]>,
  of: (arm: string) => readonly { readonly planned: PlannedRun }[],
  paths: StudyPaths,
): StudyGeneralisation {
  const strata = typeof asked === "string" ? [asked] : asked;
  const arms = Object.entries(trained_on).map(([arm, own]) => {
    const folders = of(arm).map(({ planned }) => join(paths.folder, planned.folder));
    return { arm, own, runs: folders.filter(isFinished).map((folder) => scoresOf(folder, strata)) };
  });
  const all = arms.flatMap(({ runs }) => runs);
  const found = [...new Set(all.flatMap((run) => [...(run.get(0)?.after.keys() ?? [])]))].sort();
  const columns = [...new Set([...Object.values(trained_on).filter((value) => found.includes(value)), ...found])];
  const shots = [...new Set(all.flatMap((run) => [...run.keys()]))].sort((a, b) => a - b);
  return { stratum: strata.join(" "), columns, tables: shots.map((count) => tableOf(count, columns, arms)) };
}

function tableOf(
  shots: number,
  columns: readonly string[],
  arms: readonly { readonly arm: string; readonly own: string; readonly runs: readonly RunScores[] }[],
): StudyGeneralisation["tables"][number] {
  const means = (runs: readonly RunScores[], when: "before" | "after") =>
    columns.map((column) => {
      const values = runs.flatMap((run) => run.get(shots)?.[when].get(column) ?? []);
      return values.length === 0 ? Number.NaN : meanOf(values);
    });
  const base = means(
    arms.flatMap(({ runs }) => runs),
    "before",
  );
  const rows = arms.filter(({ runs }) => runs.length > 0);
  const scores = rows.map(({ runs }) => means(runs, "after"));
  const own = rows.map((row) => (columns.includes(row.own) ? columns.indexOf(row.own) : null));
  const { relative, retention } = generalisation(scores, base, own);
  return {
    shots,
    base: base.map(known),
    rows: rows.map((row, i) => ({
      arm: row.arm,
      trained_on: row.own,
      scores: scores[i]!.map(known),
      relative: relative[i]!.map(known),
      retention: known(retention[i]!),
    })),
  };
}

/** From the items of the first and the last evaluation, and the rows of those with solved examples. */
function scoresOf(folder: string, strata: readonly string[]): RunScores {
  const found = milestones(folder);
  const before = found.find(({ stage }) => stage === "start")?.items ?? [];
  const after = found.at(-1)?.items ?? [];
  const scores = new Map([[0, { before: byValue(before, strata), after: byValue(after, strata) }]]);
  for (const { step, shots, right } of shotLines(runPaths(folder).evals)) {
    const ids = new Set(right);
    const judged = (step === 0 ? before : after).map((item) => ({ ...item, strict: Number(ids.has(item.example_id)) }));
    const earlier = scores.get(shots) ?? { before: new Map(), after: new Map() };
    scores.set(shots, { ...earlier, [step === 0 ? "before" : "after"]: byValue(judged, strata) });
  }
  return scores;
}

interface ShotLine {
  readonly kind: "shots";
  readonly step: number;
  readonly shots: number;
  readonly right: readonly string[];
}

/** The rows up to the first damaged one. */
function shotLines(file: string): readonly ShotLine[] {
  const lines: ShotLine[] = [];
  try {
    for (const line of scanJsonl<ShotLine>(file)) if (line.kind === "shots") lines.push(line);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return lines;
}

function byValue(
  items: readonly (Pick<ScoredItem, "strata"> & { readonly strict: number })[],
  strata: readonly string[],
): ByValue {
  const groups = new Map<string, number[]>();
  for (const item of items) {
    const value = strata
      .map((name) => item.strata[name] ?? "")
      .join(" ")
      .trim();
    if (value !== "") groups.set(value, [...(groups.get(value) ?? []), item.strict]);
  }
  return new Map([...groups].map(([value, strict]) => [value, meanOf(strict)] as const));
}

function known(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
