/** Reads a run's folder for a report; missing or damaged files become notices, not errors. */
import { existsSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { parse } from "yaml";
import { messageOf, UserError } from "../core/errors.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { type RunPaths, requireRun, runPaths } from "../runs/run-folder.ts";
import type { Interval, SubgroupFigures } from "../runs/statistics-records.ts";
import type { Verdict } from "../runs/verdict.ts";
import type { Point } from "./charts/series.ts";

/** A row of metrics.jsonl or events.jsonl. */
export type RecordLine = Readonly<Record<string, unknown>>;

/** An evaluation's summary row. */
export interface EvaluationLine {
  readonly step: number;
  readonly stage: string;
  readonly subsets: Readonly<Record<string, SubsetLine>>;
  readonly overlap?: OverlapLine;
  /** By predictor and unit. */
  readonly numbers?: Readonly<Record<string, readonly NumberLine[]>>;
  /** By kind and figure. */
  readonly figures?: Readonly<Record<string, Readonly<Record<string, Interval>>>>;
  /** Statements against the known facts of their images. */
  readonly facts?: Readonly<Record<"precision" | "recall" | "hallucination_rate", Interval | null>>;
  readonly reasoning?: ReasoningLine;
  readonly subgroups?: readonly SubgroupFigures[];
}

export interface ReasoningLine {
  readonly rationales: number;
  readonly restated_facts: Interval | null;
  readonly excluded_options: Interval | null;
  readonly behaviours: Readonly<Record<string, Interval>>;
}

/** Numeric questions by distance. */
export type NumberLine = { readonly unit: string; readonly n: number; readonly unreadable: number } & Readonly<
  Record<"mae" | "rmse" | "r2" | "mape" | "concordance", Interval | null>
>;

/** What the questions share with the training data. */
export interface OverlapLine {
  readonly subjects: number;
  readonly questions: number;
  readonly of: number;
  readonly unshared: Interval | null;
}

/** A baseline beside the model; records of earlier versions have no p. */
export interface BaselineLine {
  readonly accuracy: number;
  readonly difference: Interval;
  readonly mcnemar_p?: number;
}

export interface SubsetLine {
  readonly accuracy: Interval;
  readonly token_f1?: Interval;
  readonly parse_failure_rate?: number;
  readonly baselines?: Readonly<Record<string, BaselineLine>>;
  readonly verdict?: Verdict;
}

/**
 * The strongest baseline, with a display name; the untuned model is excluded, since it is the run's own first
 * evaluation.
 */
export function bestBaseline(baselines: NonNullable<SubsetLine["baselines"]>) {
  const others = Object.entries(baselines).filter(([name]) => name !== "untuned");
  const best = others.sort(([, a], [, b]) => b.accuracy - a.accuracy)[0];
  return best === undefined ? null : { name: best[0].replaceAll("_", "-"), ...best[1] };
}

/** The contents of a run's small files; rollouts are sampled separately (see `rollout-sample.ts`). */
export interface RunRecord {
  readonly paths: RunPaths;
  /** The recipe's name. */
  readonly name: string;
  /** As written; empty if unreadable. */
  readonly recipeYaml: string;
  /** The recipe as plain data; null if it is not valid YAML. */
  readonly recipe: RecordLine | null;
  readonly environment: RecordLine | null;
  readonly metrics: readonly RecordLine[];
  readonly evaluations: readonly EvaluationLine[];
  readonly events: readonly RecordLine[];
  /** What could not be read, one sentence each. */
  readonly notices: readonly string[];
}

/** Reads a run; throws UserError if there is none. */
export function readRun(folder: string): RunRecord {
  requireRun(folder);
  const paths = runPaths(resolve(folder));
  const notices: string[] = [];
  const recipeYaml = attempt(notices, "", () => readFileSync(paths.recipe, "utf8"));
  const recipe = attempt(notices, null, () => asRecord(parse(recipeYaml)));
  return {
    paths,
    name: typeof recipe?.["name"] === "string" ? recipe["name"] : basename(paths.folder),
    recipeYaml,
    recipe,
    environment: attempt(notices, null, () => asRecord(JSON.parse(readFileSync(paths.environment, "utf8")))),
    metrics: [...readableLines(paths.metrics, notices)].filter(({ step }) => typeof step === "number"),
    evaluations: evaluationsOf(readableLines(paths.evals, notices)),
    events: [...readableLines(paths.events, notices)],
    notices,
  };
}

/** The records of a file up to the first damaged one; a problem is added to `notices`. */
export function* readableLines(path: string, notices: string[]): Generator<RecordLine> {
  if (!existsSync(path)) {
    notices.push(`${basename(path)} is missing`);
    return;
  }
  try {
    yield* scanJsonl<RecordLine>(path);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    notices.push(`${basename(path)} is read up to a damaged row: ${error.message}`);
  }
}

/** The numeric values of a metric, by step; `of` filters the rows. */
export function metricPoints(
  { metrics }: Pick<RunRecord, "metrics">,
  key: string,
  of: (line: RecordLine) => boolean = () => true,
): readonly Point[] {
  return metrics.flatMap((line) => {
    const y = line[key];
    return typeof y === "number" && of(line) ? [{ x: line["step"] as number, y }] : [];
  });
}

/** Whether a metrics row is of a step that sampled completions. */
export function isRollout(line: RecordLine): boolean {
  return line["group/zero_std_fraction"] !== undefined;
}

/** The summaries; rows of single questions are skipped without keeping them in memory. */
function evaluationsOf(lines: Iterable<RecordLine>): readonly EvaluationLine[] {
  const found: EvaluationLine[] = [];
  for (const line of lines) if (isEvaluation(line)) found.push(line);
  return found;
}

function isEvaluation(line: RecordLine): line is RecordLine & EvaluationLine {
  if (line["kind"] !== "summary" || typeof line["step"] !== "number") return false;
  const overall = asRecord(asRecord(line["subsets"])?.["overall"]);
  const accuracy = asRecord(overall?.["accuracy"]);
  return ["estimate", "low", "high"].every((key) => typeof accuracy?.[key] === "number");
}

/** Plain data as a record; null for anything else. */
export function asRecord(value: unknown): RecordLine | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as RecordLine) : null;
}

function attempt<T>(notices: string[], otherwise: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    notices.push(messageOf(error));
    return otherwise;
  }
}
