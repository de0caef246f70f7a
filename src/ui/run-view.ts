/** A run that pages look into: its files followed from their last known ends, and what they hold in the form pages take. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { type RunPaths, runPaths, sidecarPath } from "../runs/run-folder.ts";
import type { FoundFolder } from "./find-runs.ts";
import { type GroupIndex, indexGroups, type RecordedImage } from "./groups.ts";
import { imageId } from "./images.ts";
import { followLines, type Line, type LineFile, recordOf, recordsIn } from "./lines.ts";

/** Where an evaluation's questions stand in evals.jsonl. */
export interface Evaluation {
  /** Its place among the run's evaluations. */
  readonly n: number;
  readonly step: number;
  readonly stage: string;
  readonly protocol: string;
  readonly summary: Line;
  /** First line of its questions, and how many. */
  readonly first: number;
  readonly items: number;
}

export interface RunView {
  readonly found: FoundFolder;
  readonly paths: RunPaths;
  readonly groups: GroupIndex;
  readonly metrics: readonly Line[];
  readonly events: readonly Line[];
  readonly evaluations: readonly Evaluation[];
  /** Takes in what was appended to any file; true where something was. */
  update(): boolean;
  /** Byte offsets of metrics, events, evaluations and rollouts, joined: where a stream goes on. */
  position(): string;
  /** How many rows of each lie before a position; null where the files were cut since, and everything must be read again. */
  before(position: string): Counts | null;
  items(evaluation: Evaluation): readonly Line[];
  /** An image that a group records, by its hash, or that an evaluation names, by `imageId`; null for any other. */
  image(id: string): RecordedImage | null;
  /** Token ids and log-probs of a group; null where none were kept. */
  tokens(step: number, id: string): Line | null;
  readonly recipe: { readonly yaml: string; readonly values: Line | null };
}

export interface Counts {
  readonly metrics: number;
  readonly events: number;
  readonly evaluations: number;
  readonly groups: number;
}

export function viewRun(found: FoundFolder): RunView {
  const paths = runPaths(found.folder);
  const metrics = keptLines(paths.metrics);
  const events = keptLines(paths.events);
  let evaluations: Evaluation[] = [];
  let first = 0;
  let items = 0;
  /** Images of the evaluations that were looked through so far, by id. */
  const named = { evaluations: 0, paths: new Map<string, string>() };
  const evals = followLines(paths.evals, {
    line(text, index) {
      if (text.startsWith('{"kind":"item"')) {
        if (items++ === 0) first = index;
        return;
      }
      const summary = recordOf(text);
      if (summary?.["kind"] !== "summary" || typeof summary["step"] !== "number") return;
      const [stage, protocol] = [String(summary["stage"] ?? ""), String(summary["protocol"] ?? "")];
      evaluations.push({ n: evaluations.length, step: summary["step"], stage, protocol, summary, first, items });
      items = 0;
    },
    reset() {
      evaluations = [];
      items = 0;
      named.evaluations = 0;
      named.paths.clear();
    },
  });
  const groups = indexGroups(paths.rollouts);
  const files: readonly LineFile[] = [metrics.file, events.file, evals, groups.file];
  const view: RunView = {
    ...{ found, paths, groups },
    get metrics() {
      return metrics.rows();
    },
    get events() {
      return events.rows();
    },
    get evaluations() {
      return evaluations;
    },
    update: () => files.map((file) => file.update()).some(Boolean),
    position: () => files.map(({ bytes }) => bytes).join(","),
    before(position) {
      const offsets = position.split(",").map(Number);
      const lines = files.map((file, i) => file.at(offsets[i] ?? Number.NaN));
      if (offsets.length !== files.length || lines.includes(null)) return null;
      const [m, e, v, g] = lines as number[];
      return {
        metrics: metrics.rowsBefore(m!),
        events: events.rowsBefore(e!),
        evaluations: evaluations.filter((one) => one.first + one.items < v!).length,
        groups: groups.rowsBefore(g!),
      };
    },
    items: ({ first, items }) =>
      [...evals.lines(Array.from({ length: items }, (_, i) => first + i))]
        .map(recordOf)
        .filter((line) => line !== null),
    image(id) {
      const recorded = groups.image(id);
      if (recorded !== null) return recorded;
      for (const evaluation of evaluations.slice(named.evaluations)) {
        for (const { images } of view.items(evaluation)) {
          for (const path of Array.isArray(images) ? images.map(String) : []) named.paths.set(imageId(path), path);
        }
      }
      named.evaluations = evaluations.length;
      const path = named.paths.get(id);
      return path === undefined ? null : { path, width: 0, height: 0, subject: "" };
    },
    tokens: (step, id) => recordsIn(sidecarPath(paths, step)).find((record) => record["id"] === id) ?? null,
    get recipe() {
      return recipeOf(paths.recipe);
    },
  };
  return view;
}

/** The records of a short file, with the number of lines that came before each. */
function keptLines(path: string) {
  let rows: Line[] = [];
  let lines: number[] = [];
  const file = followLines(path, {
    line(text, index) {
      const record = recordOf(text);
      if (record === null) return;
      rows.push(record);
      lines.push(index);
    },
    reset() {
      rows = [];
      lines = [];
    },
  });
  return { file, rows: () => rows, rowsBefore: (line: number) => countBelow(lines, line) };
}

/** How many of the ascending numbers are below a bound. */
export function countBelow(ascending: readonly number[], bound: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function recipeOf(path: string): RunView["recipe"] {
  try {
    const yaml = readFileSync(path, "utf8");
    try {
      const values: unknown = parse(yaml);
      return { yaml, values: typeof values === "object" && values !== null ? (values as Line) : null };
    } catch {
      return { yaml, values: null };
    }
  } catch {
    return { yaml: "", values: null };
  }
}
