/** A run in a few figures, from the ends of its files: what a list of a thousand runs can afford. */
import { readFileSync } from "node:fs";
import { bestEvaluation } from "../runs/best-evaluation.ts";
import { isWritten, type RunPaths, runPaths } from "../runs/run-folder.ts";
import type { FoundFolder } from "./find-runs.ts";
import { followLines, type Line, recordOf, recordsIn, statOf } from "./lines.ts";
import { alarmMatter, tagsIn } from "./matters.ts";
import { notesFile, type RunNotes, readNotes } from "./run-notes.ts";

export type RunStatus = "running" | "finished" | "failed" | "stopped" | "empty";

/** An evaluation's overall accuracy, shares; the interval is absent from records that have none. */
export interface RowAccuracy {
  readonly step: number;
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

export interface RunRow {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly study: string | null;
  readonly status: RunStatus;
  /** Milliseconds since 1970 of the last write. */
  readonly heartbeat: number;
  readonly step: number;
  /** Steps of all stages that have begun; null where the record does not say. */
  readonly steps: number | null;
  /** Of the stages that have begun, by the mean time of the last steps; null unless it runs. */
  readonly secondsLeft: number | null;
  /** Kinds of its stages, in order. */
  readonly stages: readonly string[];
  readonly model: string;
  readonly data: string;
  /** Mean reward over the run, at most 40 points. */
  readonly rewards: readonly number[];
  readonly last: RowAccuracy | null;
  readonly best: RowAccuracy | null;
  /** Alarms that rang, have not cleared and were not seen to. */
  readonly alarms: number;
  readonly tags: readonly string[];
}

const POINTS = 40;

interface Cached {
  readonly signature: string;
  readonly row: RunRow;
}

/** A reader of rows that reads a run's files again only where they have changed. */
export function rowReader(): (found: FoundFolder) => RunRow {
  const cache = new Map<string, Cached>();
  return (found) => {
    const paths = runPaths(found.folder);
    const running = isWritten(found.folder);
    const signature = `${running} ${signatureOf([...filesOf(paths), notesFile(found.folder)])}`;
    const known = cache.get(found.id);
    if (known?.signature === signature) return known.row;
    const row = readRow(found, paths, running);
    cache.set(found.id, { signature, row });
    return row;
  };
}

function filesOf({ recipe, metrics, events, evals }: RunPaths): readonly string[] {
  return [recipe, metrics, events, evals];
}

function signatureOf(files: readonly string[]): string {
  return files
    .map((file) => statOf(file))
    .map((found) => `${found?.size} ${found?.mtimeMs}`)
    .join(" ");
}

function readRow(found: FoundFolder, paths: RunPaths, running: boolean): RunRow {
  const recipe = bytesOf(paths.recipe).toString("utf8");
  const events = recordsIn(paths.events);
  const metrics = sampledMetrics(paths.metrics);
  const notes = readNotes(found.folder);
  const evaluations = summariesOf(paths.evals);
  const starts = events.filter(({ event }) => event === "stage_start");
  const last = metrics.at(-1) ?? {};
  const step = numberOf(last["step"]) ?? 0;
  const start = starts.at(-1);
  const ends =
    start === undefined ? null : (numberOf(start["step"]) ?? 1) - 1 + (numberOf(start["steps"]) ?? Number.NaN);
  const steps = ends === null || Number.isNaN(ends) ? null : ends;
  const status = statusOf(running, events, step);
  const perStep = numberOf(last["time/step_s"]);
  const byStep = new Map(evaluations.map((one) => [one.step, one]));
  const bestAt = bestEvaluation(evaluations.map(({ step, estimate }) => ({ step, accuracy: estimate })));
  const heartbeat = Math.max(...filesOf(paths).map((file) => statOf(file)?.mtimeMs ?? 0));
  return {
    ...{ id: found.id, path: found.path, study: found.study, status, heartbeat, step, steps, tags: tagsIn(notes) },
    name: scalar(recipe, /^name: *(.+)$/m) ?? found.path,
    secondsLeft: status === "running" && steps !== null && perStep !== null ? (steps - step) * perStep : null,
    stages: [...recipe.matchAll(/^ *(?:- )?(?:\{ *)?kind: *([a-z_]+)/gm)].map(([, kind]) => kind!),
    model: scalar(recipe, /^model:\s*(?:\{|\n\s+)[^}]*?path: *([^\n,}]+)/m) ?? "",
    data: scalar(recipe, /^data:\s*(?:\{|\n\s+)\s*train:\s*(?:\{|\n\s+)[^}]*?name: *([^\n,}]+)/m) ?? "",
    rewards: metrics.flatMap((line) => numberOf(line["reward/mean"]) ?? []),
    last: evaluations.at(-1) ?? null,
    best: bestAt === null ? null : (byStep.get(bestAt.step) ?? null),
    alarms: openAlarms(events, notes).length,
  };
}

function statusOf(running: boolean, events: readonly Line[], step: number): RunStatus {
  if (running) return "running";
  const last = events.at(-1)?.["event"];
  if (last === "run_end") return "finished";
  if (last === "error") return "failed";
  return step === 0 && events.length === 0 ? "empty" : "stopped";
}

/** Alarms that rang, have not cleared and were not seen to, the latest of each rule and subject. */
export function openAlarms(events: readonly Line[], notes: RunNotes): readonly Line[] {
  const open = new Map<string, Line>();
  for (const line of events) {
    const key = `${line["rule"]} ${line["subject"] ?? ""}`;
    if (line["event"] === "alarm") open.set(key, line);
    if (line["event"] === "alarm_cleared") open.delete(key);
  }
  return [...open.values()].filter((alarm) => notes[alarmMatter(alarm)] === undefined);
}

/** A figure of all questions of an evaluation's summary; null where it has none with an interval. */
export function figureOf(summary: Line, name: string): RowAccuracy | null {
  const overall = (summary["subsets"] as Readonly<Record<string, Line>> | undefined)?.["overall"];
  const accuracy = overall?.[name] as Line | undefined;
  const [step, estimate] = [numberOf(summary["step"]), numberOf(accuracy?.["estimate"])];
  if (step === null || estimate === null) return null;
  const [low, high] = [numberOf(accuracy?.["low"]) ?? estimate, numberOf(accuracy?.["high"]) ?? estimate];
  return { step, estimate, low, high, n: numberOf(accuracy?.["n"]) ?? 0 };
}

/** Lines spread evenly over the file, and the last. */
function sampledMetrics(path: string): readonly Line[] {
  const file = followLines(path, { line() {}, reset() {} });
  file.update();
  const count = file.count;
  const every = Math.max(1, Math.ceil(count / POINTS));
  const places = Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
  if (count > 0 && places.at(-1) !== count - 1) places.push(count - 1);
  return [...file.lines(places)].map(recordOf).filter((line) => line !== null);
}

/** Found by the bytes they begin with: the rows of single questions between them are many. */
function summariesOf(path: string): readonly RowAccuracy[] {
  const text = bytesOf(path);
  const found: RowAccuracy[] = [];
  const begin = Buffer.from('{"kind":"summary"');
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at + 1)) {
    const end = text.indexOf(10, at);
    if (end < 0) break;
    const accuracy = figureOf(recordOf(text.toString("utf8", at, end)) ?? {}, "accuracy");
    if (accuracy !== null) found.push(accuracy);
  }
  return found;
}

function scalar(text: string, pattern: RegExp): string | null {
  const found = pattern.exec(text)?.[1]?.trim();
  return found === undefined ? null : found.replace(/^(["'])(.*)\1$/, "$2").slice(0, 120);
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
