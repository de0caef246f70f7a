/** Reads what a run has recorded since the last look; all of it again where the run has been rewound. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parse } from "yaml";
import { tailJsonl } from "../runs/jsonl.ts";
import { type RunPaths, requireRun, runPaths } from "../runs/run-folder.ts";
import { type RolloutRow, SAMPLE_EVERY } from "./sample.ts";
import type { Scalars } from "./tracker.ts";

export interface Records {
  readonly scalars: readonly Scalars[];
  /** Groups chosen as samples. */
  readonly rollouts: readonly (RolloutRow & { readonly time: number })[];
  /** When the run was last heard of. */
  readonly time: number;
  /** The last of the run's events is its end. */
  readonly ended: boolean;
}

export interface RunReader {
  readonly paths: RunPaths;
  readonly name: string;
  /** The recipe's name. */
  readonly recipe: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The recipe as plain data, secrets masked. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What is new, or for a run that was rewound everything: whoever knows how far they are skips what they have. */
  read(): Records;
}

type Row = Readonly<Record<string, unknown>>;

/** Throws UserError where there is no run. */
export function openRunReader(folder: string): RunReader {
  requireRun(folder);
  const paths = runPaths(folder);
  const config = masked(parse(readFileSync(paths.recipe, "utf8"))) as RunReader["config"];
  const created = Date.parse(JSON.parse(readFileSync(paths.environment, "utf8")).created);
  const rows = {
    metrics: tailJsonl(paths.metrics),
    evals: tailJsonl(paths.evals),
    rollouts: tailJsonl(paths.rollouts),
    events: tailJsonl(paths.events),
  };
  let clock = stepClock(created);
  let sampled = { first: Number.NaN, last: Number.NaN };
  let ended = false;
  return {
    paths,
    name: basename(folder),
    recipe: String(config["name"]),
    created,
    config,
    read() {
      // From what is written last to what is written first: what belongs to a step is not seen before the step.
      for (const { row } of rows.events()) ended = row["event"] === "run_end";
      const summaries = [...rows.evals()].filter(({ row }) => row["kind"] === "summary");
      const steps = [...rows.metrics()].map(({ row, rewound }): Scalars => {
        if (rewound) clock = stepClock(created);
        const step = stepOf(row);
        return { of: "step", step, time: clock.tick(step, numberOf(row["time/step_s"])), values: numbersOf(row) };
      });
      const evaluations = summaries.map(({ row }): Scalars => {
        return { of: "evaluation", step: stepOf(row), time: clock.at(stepOf(row)), values: evaluationOf(row) };
      });
      const rollouts = [...rows.rollouts()].flatMap(({ row, rewound }) => {
        if (rewound) sampled = { first: Number.NaN, last: Number.NaN };
        const step = stepOf(row);
        if (Number.isNaN(sampled.first)) sampled.first = step;
        if (step === sampled.last || (step - sampled.first) % SAMPLE_EVERY !== 0) return [];
        sampled.last = step;
        return [{ ...(row as unknown as RolloutRow), time: clock.at(step) }];
      });
      const order = (a: Scalars, b: Scalars) => a.step - b.step || (a.of === b.of ? 0 : a.of === "step" ? -1 : 1);
      return { scalars: [...steps, ...evaluations].sort(order), rollouts, time: clock.now(), ended };
    },
  };
}

/** When steps were done: the run's creation and the recorded seconds of its steps. */
function stepClock(created: number) {
  const times = new Map<number, number>();
  let now = created;
  return {
    tick(step: number, seconds: number | null): number {
      now += 1000 * (seconds ?? 0);
      times.set(step, now);
      return now;
    },
    now: () => now,
    at: (step: number) => times.get(step) ?? (step === 0 ? created : now),
  };
}

function stepOf(row: Row): number {
  return Number(row["step"]);
}

/** The numbers of a row of metrics.jsonl, texts for what JSON lacks among them; other texts have no curve. */
function numbersOf({ step, stage, ...metrics }: Row): Readonly<Record<string, number>> {
  const numbers = Object.entries(metrics).map(([name, value]) => [name, numberOf(value)] as const);
  return Object.fromEntries(numbers.filter((entry): entry is [string, number] => entry[1] !== null));
}

function numberOf(value: unknown): number | null {
  if (typeof value === "number") return value;
  return value === "NaN" || value === "Infinity" || value === "-Infinity" ? Number(value) : null;
}

/** "eval/overall/accuracy" with "…_low" and "…_high" of its interval, and the baselines' accuracies. */
function evaluationOf(row: Row): Readonly<Record<string, number>> {
  const found: [string, number][] = [];
  const put = (name: string, value: unknown) => {
    const number = numberOf(value);
    if (number !== null) found.push([name, number]);
  };
  for (const [subset, summary] of entriesOf(row["subsets"])) {
    for (const [key, value] of entriesOf(summary)) {
      const name = `eval/${subset}/${key}`;
      if (key === "baselines") {
        for (const [baseline, { accuracy }] of entriesOf(value) as Iterable<[string, { accuracy?: unknown }]>) {
          put(`eval/${subset}/baseline/${baseline}`, accuracy);
        }
        continue;
      }
      put(name, value);
      for (const [part, number] of entriesOf(value)) {
        if (part === "estimate") put(name, number);
        if (part === "low" || part === "high") put(`${name}_${part}`, number);
      }
    }
  }
  return Object.fromEntries(found);
}

function entriesOf(value: unknown): readonly [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

/** Recipes hold the names of variables and not their values; a reward of the user's own may do otherwise. */
function masked(value: unknown, key = ""): unknown {
  if (typeof value === "string") return /(^|_)(key|token|secret|password)$/i.test(key) ? "***" : value;
  if (Array.isArray(value)) return value.map((inner) => masked(inner));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, masked(inner, name)]));
}
