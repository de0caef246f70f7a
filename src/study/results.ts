/** A study's results, computed from the files of its runs: differences are paired by question and pooled over seeds. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import { RESAMPLES } from "../evaluate/bootstrap.ts";
import {
  type CrossedValue,
  crossedBootstrap,
  holm,
  minimalDetectableDifference,
  verdictsOf,
} from "../evaluate/index.ts";
import { milestones, type ScoredItem } from "../evaluate/run-statistics.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { isFinished, runPaths } from "../runs/run-folder.ts";
import type { StudyArm, StudyResults } from "../runs/study-results.ts";
import { type Verdict, withTuning } from "../runs/verdict.ts";
import { readJournal, type StudyPaths } from "./folder.ts";
import { generalisationOf } from "./generalisation.ts";
import type { Study } from "./load.ts";
import { outcomesOf } from "./outcomes.ts";
import { pilotPower } from "./pilot.ts";
import { type PlannedRun, planRuns } from "./plan.ts";
import { judgePredictions } from "./predictions.ts";
import { reasoningOf } from "./reasoning.ts";
import { retentionOf } from "./retention.ts";

const method = `Difference: strict accuracy of an arm minus the reference's, paired by question within a seed. Interval: 95 %, percentile bootstrap of ${RESAMPLES.study} resamples that draws subjects and seeds independently with replacement; with one seed only subjects are drawn, and the interval says nothing about other seeds. p: two-sided from the same resamples, Holm-corrected over all arms compared. With few seeds, their contribution to the interval is imprecise.`;

interface ReadRun {
  readonly planned: PlannedRun;
  readonly status: "finished" | "failed" | "unfinished";
  readonly message: string | null;
  readonly items: readonly ScoredItem[];
  /** Of its first evaluation. */
  readonly before: readonly ScoredItem[];
  readonly figures: Readonly<Record<string, number>>;
  readonly training: Readonly<Record<string, number>>;
  readonly reward: { readonly first: number; readonly last: number } | null;
  readonly seconds: number | null;
}

type Line = Readonly<Record<string, unknown>>;

/** The results of the runs of this time and of those finished before. */
export function resultsSoFar(study: Study, runs: readonly PlannedRun[], paths: StudyPaths): StudyResults {
  const now = new Set(runs.map(({ folder }) => folder));
  const shown = planRuns(study).filter(({ folder }) => now.has(folder) || isFinished(join(paths.folder, folder)));
  return studyResults(study, shown, paths);
}

/** Reads the planned runs; arms without runs are omitted, unfinished runs have no figures. */
export function studyResults(study: Study, runs: readonly PlannedRun[], paths: StudyPaths): StudyResults {
  const { failures } = readJournal(paths);
  const planned = runs.filter(({ arm }) => arm !== null);
  const read = planned.map((run) => readRun(run, join(paths.folder, run.folder), failures.get(run.folder) ?? null));
  const of = (name: string) => read.filter(({ planned }) => planned.arm === name);
  const reference = of(study.reference);
  const chosen = study.arms.filter(({ name }) => of(name).length > 0);
  const compared = chosen.map(({ name }) => (name === study.reference ? null : difference(of(name), reference)));
  const adjusted = holm(compared.flatMap((found) => (found === null ? [] : [found.p])));
  const judged = verdictsByArm(study.baselines, chosen, of);
  const trials = new Map(study.arms.map(({ name, recipe }) => [name, recipe.tuning_trials]));
  const tuned = (name: string) => ({ name, trials: trials.get(name) ?? null });
  let next = 0;
  const baseSeconds = medianOf(reference.flatMap(({ seconds }) => seconds ?? []));
  const arms = chosen.map((arm, i): StudyArm => {
    const own = of(arm.name);
    const found = compared[i] ?? null;
    const verdict = judged.get(arm.name) ?? null;
    const seconds = medianOf(own.flatMap((run) => run.seconds ?? []));
    return {
      name: arm.name,
      about: arm.about,
      dimensions: [...arm.dimensions],
      runs: own.map(({ planned: { seed, folder }, status, message, items, reward, seconds }) => {
        return { seed, folder, status, message, accuracy: strictMean(items), reward, seconds };
      }),
      accuracy: accuracyOf(own),
      difference: found === null ? null : { ...found, p_holm: adjusted[next++]! },
      tuning_trials: arm.recipe.tuning_trials,
      verdict: verdict === null ? null : withTuning(verdict, tuned(arm.name), study.baselines.map(tuned)),
      figures: meansOf(own.map(({ figures }) => figures)),
      training: meansOf(own.map(({ training }) => training)),
      reasoning: reasoningOf(own.flatMap(({ items }) => items)),
      cost: seconds === null ? null : { seconds, ratio: baseSeconds === null ? null : seconds / baseSeconds },
    };
  });
  const ranked = arms.filter(({ accuracy }) => accuracy !== null);
  return {
    version: 1,
    name: study.name,
    about: study.about,
    created: new Date().toISOString(),
    method,
    seeds: [...study.seeds],
    reference: study.reference,
    baselines: [...study.baselines],
    arms,
    dimensions: mainEffects(study, of),
    outcomes: outcomesOf(
      chosen.map(({ name }) => name),
      study.reference,
      (name) => of(name).map(({ planned: { seed }, items }) => ({ seed, items })),
    ),
    predictions: [
      ...judgePredictions(
        study.predicts,
        (name) => of(name).map(({ planned: { seed }, items }) => ({ seed, items })),
        pilotPower(study),
      ),
    ],
    retention: retentionOf(study, (name) =>
      of(name).map(({ planned: { seed }, before, items }) => ({ seed, before, after: items })),
    ),
    generalisation: study.generalisation === null ? null : generalisationOf(study.generalisation, of, paths),
    ranking: ranked.sort((a, b) => b.accuracy!.estimate - a.accuracy!.estimate).map(({ name }) => name),
    shared: sharedRuns(runs),
  };
}

/** Runs shared as prefixes, and their users. */
export function sharedRuns(runs: readonly PlannedRun[]): StudyResults["shared"] {
  return runs.flatMap(({ folder, recipe }) => {
    const users = runs.filter(({ parent }) => parent === folder).map((run) => run.folder);
    if (users.length === 0) return [];
    return [
      { folder, stages: recipe.stages.map(({ kind, steps }) => `${kind} ${steps ?? ""}`.trim()), used_by: users },
    ];
  });
}

function readRun(planned: PlannedRun, folder: string, failure: string | null): ReadRun {
  const finished = isFinished(folder);
  const empty = { items: [], before: [], figures: {}, training: {}, reward: null, seconds: null };
  const state = { planned, status: finished ? "finished" : failure === null ? "unfinished" : "failed" } as const;
  // An unfinished run has no last evaluation to compare.
  if (!finished) return { ...state, message: failure, ...empty };
  const paths = runPaths(folder);
  const metrics = readLines(paths.metrics);
  const sampled = metrics.filter((line) => line["reward/mean"] !== undefined);
  const fifth = Math.max(1, Math.floor(sampled.length / 5));
  const late = sampled.slice(-fifth);
  // With group filtering, reward/mean covers only kept groups, which are never all correct: use the mean of all sampled
  // ones.
  const rewards = sampled.map((line) => Number(line["reward/sampled_mean"] ?? line["reward/mean"]));
  const [first, last] = [rewards.slice(0, fifth), rewards.slice(-fifth)].map(meanOf) as [number, number];
  const evaluations = milestones(folder);
  return {
    ...state,
    message: null,
    items: evaluations.at(-1)?.items ?? [],
    before: evaluations[0]?.items ?? [],
    figures: figuresOf(readLines(paths.evals).findLast(({ kind }) => kind === "summary") ?? {}),
    training: meansOf(late.map(shownMetrics)),
    reward: rewards.length === 0 ? null : { first, last },
    seconds: metrics.reduce((total, line) => total + Number(line["time/step_s"] ?? 0), 0),
  };
}

/** Metrics to compare between arms. */
function shownMetrics(line: Line): Readonly<Record<string, number>> {
  const shown =
    /^(reward\/(.+\/)?mean|completion\/(length_mean|truncated_fraction)|policy\/(kl|entropy)|group\/zero_std_fraction)$/;
  return numbersOf(Object.entries(line).filter(([key]) => shown.test(key)));
}

/** Every numeric figure or estimate of a summary by its path, of subsets only the overall one, without conditions. */
function figuresOf({
  subsets,
  step: _,
  conditions: _____,
  tuning_trials: _______,
  ...rest
}: Line): Readonly<Record<string, number>> {
  const found: [string, unknown][] = [];
  const walk = (value: unknown, path: string) => {
    if (typeof value === "number") found.push([path, value]);
    if (typeof value !== "object" || value === null) return;
    if ("estimate" in value) return walk(value.estimate, path);
    for (const [key, inner] of Object.entries(value)) walk(inner, path === "" ? key : `${path}.${key}`);
  };
  const overall = (subsets as Line | undefined)?.["overall"] as Line | undefined;
  const { accuracy: __, n: ___, subjects: ____, verdict: ______, baselines, ...others } = overall ?? {};
  walk(others, "");
  for (const [name, line] of Object.entries((baselines ?? {}) as Record<string, Line>)) {
    found.push([`baseline ${name}`, line["accuracy"]]);
  }
  walk(rest, "");
  return numbersOf(found);
}

function numbersOf(entries: readonly (readonly [string, unknown])[]): Readonly<Record<string, number>> {
  return Object.fromEntries(entries.filter(([, value]) => Number.isFinite(value))) as Record<string, number>;
}

function accuracyOf(runs: readonly ReadRun[]): StudyArm["accuracy"] {
  const pooled = crossedBootstrap(runs.flatMap(({ planned, items }) => valuesOf(planned.seed, items)));
  if (pooled === null) return null;
  const { p: _, ...interval } = pooled;
  const bySeed = runs.flatMap(({ items }) => strictMean(items) ?? []);
  return { ...interval, seed_sd: deviation(bySeed) };
}

function valuesOf(seed: number, items: readonly ScoredItem[]): readonly CrossedValue[] {
  return items.map(({ subject_id, strict }) => ({ subject: subject_id, seed, value: strict }));
}

/** Arm minus reference on the questions that both answered with the same seed; null if there are none. */
function difference(arm: readonly ReadRun[], reference: readonly ReadRun[]) {
  const bySeed = arm.flatMap(({ planned: { seed }, items }) => {
    const base = new Map(
      reference.find((run) => run.planned.seed === seed)?.items.map((item) => [item.example_id, item]),
    );
    const pairs = items.flatMap((item): CrossedValue[] => {
      const other = base.get(item.example_id);
      return other === undefined ? [] : [{ subject: item.subject_id, seed, value: item.strict - other.strict }];
    });
    return pairs.length === 0 ? [] : [{ seed, pairs }];
  });
  const pooled = crossedBootstrap(bySeed.flatMap(({ pairs }) => pairs));
  if (pooled === null) return null;
  const seeds = bySeed.map(({ seed, pairs }) => ({ seed, difference: meanOf(pairs.map(({ value }) => value)) }));
  return { ...pooled, by_seed: seeds };
}

/** What the arms of each dimension do in the mean, against the reference. */
function mainEffects({ arms, reference, baselines }: Study, of: (name: string) => readonly ReadRun[]) {
  const acting = arms.filter(({ name }) => name !== reference && !baselines.includes(name) && of(name).length > 0);
  const found = [...new Set(acting.flatMap(({ dimensions }) => dimensions))].map((name) => {
    const own = acting.filter(({ dimensions }) => dimensions.includes(name)).map((arm) => arm.name);
    const { by_seed: _, ...effect } = difference(own.flatMap(of), of(reference)) ?? { by_seed: [] };
    return { name, arms: own, effect: "p" in effect ? effect : null };
  });
  const adjusted = holm(found.flatMap(({ effect }) => effect?.p ?? []));
  let next = 0;
  return found.map(({ effect, ...about }) => {
    return { ...about, effect: effect === null ? null : { ...effect, p_holm: adjusted[next++]! } };
  });
}

/** Verdicts on the arms that are no baseline and share questions with every baseline that has any. */
function verdictsByArm(
  names: readonly string[],
  arms: readonly { readonly name: string }[],
  of: (name: string) => readonly ReadRun[],
): ReadonlyMap<string, Verdict> {
  const baselines = names.flatMap((name) => {
    const accuracy = accuracyOf(of(name))?.estimate;
    return accuracy === undefined ? [] : [{ name, accuracy }];
  });
  const tested = arms.flatMap(({ name }) => {
    if (names.includes(name)) return [];
    const tests = baselines.flatMap((baseline) => difference(of(name), of(baseline.name)) ?? []);
    if (tests.length < baselines.length || tests.length === 0) return [];
    const differences = tests.map(({ p, by_seed: _, ...interval }) => {
      const error = (interval.high - interval.low) / (2 * 1.96);
      const detectable = error === 0 ? null : minimalDetectableDifference(error);
      return { difference: interval, p, detectable_difference: detectable };
    });
    return [{ name, differences }];
  });
  const found =
    tested.length === 0
      ? []
      : verdictsOf(
          tested.map(({ differences }) => differences),
          baselines,
        );
  return new Map(tested.map(({ name }, i) => [name, found[i]!]));
}

function meansOf(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const keys = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const entries = keys.map((key) => [key, meanOf(records.flatMap((record) => record[key] ?? []))] as const);
  return Object.fromEntries(entries);
}

/** Null for a run without an evaluation. */
function strictMean(items: ReadRun["items"]): number | null {
  return items.length === 0 ? null : meanOf(items.map(({ strict }) => strict));
}

/** Median of times, which is robust against a busy or sleeping machine. */
function medianOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

/** Sample standard deviation; null for fewer than two values. */
function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1));
}

/** The rows of a file up to the first damaged one. */
function readLines(file: string): readonly Line[] {
  const lines: Line[] = [];
  if (!existsSync(file)) return lines;
  try {
    for (const line of scanJsonl<Line>(file)) if (line["kind"] !== "item") lines.push(line);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return lines;
}
