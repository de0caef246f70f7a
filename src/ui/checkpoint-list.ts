/** The checkpoints of a run as its folders show them; checksums are computed only when asked for. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { damageOf, listCheckpoints } from "../runs/checkpoints.ts";
import { stepName } from "../runs/run-folder.ts";
import type { Line } from "./lines.ts";
import { figureOf, type RowAccuracy } from "./run-row.ts";
import type { RunView } from "./run-view.ts";

export interface CheckpointRow {
  readonly step: number;
  readonly name: string;
  readonly bytes: number;
  readonly files: number;
  /** "adapter" or "model". */
  readonly kind: string;
  /** Whether every file has the size that was recorded; null without checksums.json. */
  readonly complete: boolean | null;
  /** Of its last evaluation, by name: every figure of all questions that has an interval; empty without one. */
  readonly figures: Readonly<Record<string, RowAccuracy>>;
}

export async function checkpointRows(run: RunView): Promise<readonly CheckpointRow[]> {
  const steps = await listCheckpoints(run.paths);
  return steps.map((step) => {
    const folder = join(run.paths.checkpoints, stepName(step));
    const files = filesOf(folder);
    const evaluation = run.evaluations.findLast((one) => one.step === step);
    return {
      ...{ step, name: stepName(step), files: files.length },
      bytes: files.reduce((sum, { size }) => sum + size, 0),
      kind: files.some(({ name }) => name === "adapter_config.json") ? "adapter" : "model",
      complete: isComplete(folder, files),
      figures: evaluation === undefined ? {} : figuresOf(evaluation.summary),
    };
  });
}

function figuresOf(summary: Line): CheckpointRow["figures"] {
  const overall = (summary["subsets"] as Readonly<Record<string, Line>> | undefined)?.["overall"] ?? {};
  const found = Object.keys(overall).map((name) => [name, figureOf(summary, name)] as const);
  return Object.fromEntries(found.filter(([, figure]) => figure !== null)) as CheckpointRow["figures"];
}

/** Reads every byte: null where all files match their checksums, else what does not. */
export async function checkpointDamage(run: RunView, step: number): Promise<string | null> {
  return damageOf(join(run.paths.checkpoints, stepName(step)));
}

function filesOf(folder: string): readonly { readonly name: string; readonly size: number }[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
    return entries.map(({ name }) => ({ name, size: statSync(join(folder, name)).size }));
  } catch {
    return []; // removed while we looked
  }
}

function isComplete(folder: string, found: ReturnType<typeof filesOf>): boolean | null {
  try {
    const { files } = JSON.parse(readFileSync(join(folder, "checksums.json"), "utf8")) as {
      readonly files: Readonly<Record<string, { readonly size: number }>>;
    };
    const sizes = new Map(found.map(({ name, size }) => [name, size]));
    return Object.entries(files).every(([name, { size }]) => name.includes("/") || sizes.get(name) === size);
  } catch {
    return null;
  }
}
