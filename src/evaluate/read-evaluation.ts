/** Reads recorded evaluations again: what `viva eval --out` wrote, or a run's evals.jsonl. */
import { existsSync, statSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { isRun, runPaths } from "../runs/run-folder.ts";
import type { ComparedRun } from "./compare.ts";
import type { EvalItem } from "./score.ts";
import type { EvalSummary } from "./summary.ts";

export interface ReadOptions {
  /** The protocol to read from a file with several; default its first. */
  readonly protocol?: string | undefined;
  /** A run's evaluation after this step; its last by default. A step in the name comes first. */
  readonly step?: number | undefined;
}

type Line = Readonly<Record<string, unknown>> & { readonly kind?: string; readonly step?: number };

/** The path and the step that a name such as "runs/mine@39" means; a file or a folder of the very name comes first. */
function evaluationAt(name: string): { readonly path: string; readonly step?: number } {
  const [, path, step] = /^(.+)@(\d+)$/.exec(name) ?? [];
  return path === undefined || existsSync(name) ? { path: name } : { path, step: Number(step) };
}

/**
 * The evaluation in a file or a run folder, or after a step of a run ("RUN@STEP"), whether or not the step has a checkpoint;
 * throws UserError where there is none, or none of that protocol or step.
 */
export function readEvaluation(name: string, label: string, asked: ReadOptions = {}): ComparedRun {
  const { path, ...at } = evaluationAt(name);
  const o = { ...asked, ...at };
  const file = isRun(path) ? runPaths(path).evals : path;
  if (!existsSync(file)) {
    throw new UserError(
      isRun(path) ? `${path}: the run has no evaluation yet` : `${path}: there is no such file or run`,
    );
  }
  if (statSync(file).isDirectory()) {
    throw new UserError(`${file} is a folder without a recipe.yaml: name a run or a file`);
  }
  if (o.step !== undefined && !isRun(path))
    throw new UserError(`${path} is no run: only a run has evaluations of several steps`);
  const found: { readonly summary: EvalSummary; readonly step: number | undefined; readonly items: EvalItem[] }[] = [];
  let items: EvalItem[] = [];
  if (statSync(file).isDirectory())
    throw new UserError(`${file} is a folder without a recipe.yaml: name a run or a file`);
  for (const line of scanJsonl<Line>(file)) {
    if (line.kind === "item") items.push(checkedItem(line, file));
    if (line.kind !== "summary") continue;
    found.push({ summary: line as unknown as EvalSummary, step: line.step, items });
    items = [];
  }
  const ofStep = o.step === undefined ? found : found.filter(({ step }) => step === o.step);
  const step = ofStep.at(-1)?.step;
  const candidates = ofStep.filter(
    (one) => one.step === step && (o.protocol === undefined || one.summary.protocol === o.protocol),
  );
  const chosen = step === undefined ? candidates[0] : candidates.at(-1); // of a step evaluated twice, the later one counts
  if (chosen !== undefined && chosen.items.length > 0) {
    const { summary, items } = chosen;
    const { protocol, conditions = null, tuning_trials: tuningTrials = null } = summary;
    return { label, protocol, items, conditions, tuningTrials };
  }
  throw new UserError(
    nothingFound(
      path,
      found.map(({ summary, step }) => ({ protocol: summary.protocol, step })),
      o,
    ),
  );
}

function nothingFound(
  path: string,
  found: readonly { readonly protocol: string; readonly step: number | undefined }[],
  { step, protocol }: ReadOptions,
): string {
  if (found.length === 0) return `${path} has no complete evaluation: viva eval --out writes one`;
  const steps = [...new Set(found.map((one) => one.step))];
  if (step !== undefined && !steps.includes(step)) {
    return `${path} has no evaluation after step ${step}; it has ${steps.join(", ")}`;
  }
  const protocols = [...new Set(found.map((one) => one.protocol))].join(", ");
  return `${path} has no evaluation under the protocol ${protocol}; it has ${protocols}`;
}

function checkedItem(line: Line, file: string): EvalItem {
  const { example_id, strict, lenient, token_f1 } = line;
  const isWhole =
    typeof example_id === "string" && [strict, lenient, token_f1].every((value) => typeof value === "number");
  if (isWhole) return line as unknown as EvalItem;
  throw new UserError(`${file}: a line of kind "item" lacks example_id, strict, lenient or token_f1`);
}
