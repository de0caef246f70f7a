/** Reads recorded evaluations: files of `viva eval --out`, or a run's evals.jsonl. */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { isRun, runPaths } from "../runs/run-folder.ts";
import type { ComparedRun } from "./compare.ts";
import type { EvalItem } from "./score.ts";
import type { EvalSummary } from "./summary.ts";

export interface ReadOptions {
  /** The protocol to read from a file with several; default its first. */
  readonly protocol?: string | undefined;
  /** Selects a run's evaluation after this step; default its last. */
  readonly step?: number | undefined;
}

type Line = Readonly<Record<string, unknown>> & { readonly kind?: string; readonly step?: number };

/** The evaluation in a file or a run folder; throws UserError if there is none, or none of that protocol or step. */
export function readEvaluation(path: string, label: string, o: ReadOptions = {}): ComparedRun {
  const file = isRun(path) ? runPaths(path).evals : path;
  if (!existsSync(file)) {
    throw new UserError(
      isRun(path) ? `${path}: the run has no evaluation yet` : `${path}: there is no such file or run`,
    );
  }
  if (o.step !== undefined && !isRun(path))
    throw new UserError(`${path} is not a run: --step chooses an evaluation of a run`);
  const found: { readonly summary: EvalSummary; readonly step: number | undefined; readonly items: EvalItem[] }[] = [];
  let items: EvalItem[] = [];
  for (const line of readable(file)) {
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
    return { label, protocol: summary.protocol, items, conditions: summary.conditions ?? null };
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

function* readable(file: string): Generator<Line> {
  try {
    yield* scanJsonl<Line>(file);
  } catch (error) {
    if (!(error instanceof UserError) && (error as NodeJS.ErrnoException).code === "EISDIR") {
      throw new UserError(`${file} is a folder without a recipe.yaml: name a run or a file`, { cause: error });
    }
    throw error;
  }
}

function checkedItem(line: Line, file: string): EvalItem {
  const { example_id, strict, lenient, token_f1 } = line;
  const isWhole =
    typeof example_id === "string" && [strict, lenient, token_f1].every((value) => typeof value === "number");
  if (isWhole) return line as unknown as EvalItem;
  throw new UserError(`${file}: a line of kind "item" lacks example_id, strict, lenient or token_f1`);
}
