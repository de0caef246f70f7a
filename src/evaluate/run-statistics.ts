/**
 * Statistics of recorded evaluations: changes within a run, by question type, and between runs; every test is paired by
 * question.
 */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { runPaths } from "../runs/run-folder.ts";
import type {
  ArmComparison,
  Flip,
  Interval,
  Milestone,
  MilestoneChange,
  PairedChange,
  RunStatistics,
  Stratum,
  StratumRow,
} from "../runs/statistics-records.ts";
import { RESAMPLES } from "./bootstrap.ts";
import { bootstrapMean, type EvalItem, paired } from "./index.ts";
import { signFlipP } from "./statistics.ts";

/** The fields of an evaluated question that statistics use. */
export type ScoredItem = Pick<
  EvalItem,
  | "example_id"
  | "subject_id"
  | "strict"
  | "strata"
  | "answer_type"
  | "question"
  | "answer"
  | "prediction"
  | "tokens"
  | "statements"
> &
  Partial<Pick<EvalItem, "lenient" | "token_f1" | "parse_failure">>;

/** An evaluation with its questions. */
export interface MilestoneItems extends Milestone {
  readonly items: readonly ScoredItem[];
}

const options = { resamples: RESAMPLES.report };
const mostFlips = 40;
/** A stratum with more values, such as a file name, is not useful for a breakdown. */
const maxValues = 16;
const questionTypeKeys = ["question_type", "content_type"] as const;
/** Strata that say where an example comes from rather than what it asks. */
const hiddenStrata: readonly string[] = ["split", "base_type"];

/**
 * The evaluations to compare: the first, and the last of each stage, with their questions; others are not kept in
 * memory. Reading ends at a damaged row; questions without their summary (an interrupted run) are dropped.
 */
export function milestones(folder: string): readonly MilestoneItems[] {
  const { evals, events } = runPaths(folder);
  const ends = stageEnds(events);
  const found: MilestoneItems[] = [];
  let pending: ScoredItem[] = [];
  if (!existsSync(evals)) return [];
  try {
    for (const line of scanJsonl<Record<string, unknown>>(evals)) {
      if (line["kind"] === "item" && isScored(line)) pending.push(compact(line));
      if (line["kind"] !== "summary" || typeof line["step"] !== "number") continue;
      const stage = String(line["stage"] ?? "");
      const last = found.at(-1);
      if (found.length > 1 && last!.stage === stage && !ends.has(last!.step)) found.pop();
      found.push({ step: line["step"], stage, items: pending });
      pending = [];
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return found.filter(({ items }) => items.length > 0);
}

/** The last steps of stages that another follows: stages of one kind are told apart by them. */
function stageEnds(events: string): ReadonlySet<number> {
  if (!existsSync(events)) return new Set();
  const ends = new Set<number>();
  try {
    for (const { event, step } of scanJsonl<{ readonly event?: unknown; readonly step?: unknown }>(events)) {
      if (event === "stage_start" && typeof step === "number") ends.add(step - 1);
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return ends;
}

/** All that a report says of one run. */
export function runStatistics(found: readonly MilestoneItems[]): RunStatistics {
  const last = found.at(-1);
  const flips = found.length < 2 ? [] : flipsOf(found.at(-2)!.items, last!.items);
  const won = flips.filter((flip) => flip.won);
  const lost = flips.filter((flip) => !flip.won);
  const shown = [...won.slice(0, mostFlips / 2), ...lost.slice(0, mostFlips / 2)];
  return {
    milestones: found.map(named),
    changes: changesOf(found),
    strata: last === undefined ? [] : strataOf(last.items).map((name) => stratum(name, found)),
    flips: { shown, won: won.length, lost: lost.length },
  };
}

/** Each later arm's last evaluation against the first arm's. */
export function compareArms(
  arms: readonly { readonly label: string; readonly milestones: readonly MilestoneItems[] }[],
): readonly ArmComparison[] {
  const [reference, ...others] = arms;
  if (reference === undefined) return [];
  const base = reference.milestones.at(-1)?.items ?? [];
  return others.map(({ label, milestones: own }) => {
    const items = own.at(-1)?.items ?? [];
    const change = pairedChange(base, items);
    const missing =
      items.length === 0 ? "not evaluated" : base.length === 0 ? `${reference.label} was not evaluated` : null;
    const reason = change === null ? (missing ?? "no question in common") : null;
    const key = strataOf(items)[0];
    const values = key === undefined ? [] : valuesOf(items, key);
    const strata = values.flatMap((value) => {
      const ofValue = pairedChange(chosen(base, key!, value), chosen(items, key!, value));
      return ofValue === null ? [] : [{ value, change: ofValue }];
    });
    return { label, reference: reference.label, change, reason, strata };
  });
}

/** Later minus earlier on their shared questions; null if there are none. */
export function pairedChange(before: readonly ScoredItem[], after: readonly ScoredItem[]): PairedChange | null {
  const pairs = pairsOf(before, after);
  const [old, now] = [pairs.map(([a]) => a.strict), pairs.map(([, b]) => b.strict)];
  const subjects = pairs.map(([, b]) => b.subject_id);
  if (pairs.length === 0) return null;
  const { difference, won, lost, mcnemar_p } = paired(now, old, subjects, options);
  const changes = now.map((value, i) => value - old[i]!);
  return { difference, won, lost, p: mcnemar_p, subjects_p: signFlipP(changes, subjects) };
}

function changesOf(found: readonly MilestoneItems[]): readonly MilestoneChange[] {
  const steps = found.slice(1).map((to, i) => [found[i]!, to] as const);
  const whole = found.length > 2 ? [[found[0]!, found.at(-1)!] as const] : [];
  return [...steps, ...whole].flatMap(([from, to]) => {
    const change = pairedChange(from.items, to.items);
    return change === null ? [] : [{ from: named(from), to: named(to), change }];
  });
}

function stratum(name: string, found: readonly MilestoneItems[]): Stratum {
  const last = found.at(-1)!.items;
  const rows = valuesOf(last, name).map((value): StratumRow => {
    const parts = found.map(({ items }) => chosen(items, name, value));
    return {
      value,
      n: parts.at(-1)!.length,
      accuracies: parts.map(accuracy),
      change: parts.length < 2 ? null : pairedChange(parts.at(-2)!, parts.at(-1)!),
    };
  });
  return { name, rows };
}

function accuracy(items: readonly ScoredItem[]): Interval | null {
  const scores = items.map(({ strict }) => strict);
  return bootstrapMean(
    scores,
    items.map(({ subject_id }) => subject_id),
    options,
  );
}

/** The names of the strata to tabulate, the question's type first. */
function strataOf(items: readonly ScoredItem[]): readonly string[] {
  const keys = new Set(items.flatMap(({ strata }) => Object.keys(strata)));
  const types = questionTypeKeys.filter((key) => keys.has(key));
  const others = [...keys].filter((key) => !types.some((type) => type === key) && !hiddenStrata.includes(key));
  return [...types, answerTypeKey, ...others].filter((key) => {
    const count = valuesOf(items, key).length;
    return count > 1 && count <= maxValues;
  });
}

const answerTypeKey = "answer_type";

function stratumValue({ strata, answer_type }: ScoredItem, key: string): string {
  return (key === answerTypeKey ? answer_type : strata[key]) ?? "";
}

/** The values of a stratum, most questions first. */
function valuesOf(items: readonly ScoredItem[], key: string): readonly string[] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(stratumValue(item, key), (counts.get(stratumValue(item, key)) ?? 0) + 1);
  counts.delete("");
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([value]) => value);
}

function chosen(items: readonly ScoredItem[], key: string, value: string): readonly ScoredItem[] {
  return items.filter((item) => stratumValue(item, key) === value);
}

function flipsOf(before: readonly ScoredItem[], after: readonly ScoredItem[]): readonly Flip[] {
  return pairsOf(before, after)
    .filter(([a, b]) => a.strict !== b.strict)
    .map(([a, b]) => {
      return { question: b.question, answer: b.answer, before: a.prediction, after: b.prediction, won: b.strict === 1 };
    });
}

function pairsOf(before: readonly ScoredItem[], after: readonly ScoredItem[]) {
  const byId = new Map(before.map((item) => [item.example_id, item]));
  return after.flatMap((item) => {
    const earlier = byId.get(item.example_id);
    return earlier === undefined ? [] : [[earlier, item] as const];
  });
}

function named({ step, stage }: Milestone): Milestone {
  return { step, stage };
}

function isScored(line: Record<string, unknown>): boolean {
  return typeof line["example_id"] === "string" && (line["strict"] === 0 || line["strict"] === 1);
}

/** Keeps only used fields, with texts truncated: a report can have several evaluations of thousands of questions. */
function compact(line: Record<string, unknown>): ScoredItem {
  const {
    example_id,
    subject_id = example_id,
    strict,
    strata = {},
    answer_type = "",
    question,
    answer,
    prediction,
    tokens,
    statements,
    lenient,
    token_f1,
    parse_failure,
  } = line;
  const text = (value: unknown) => String(value ?? "").slice(0, 300);
  return {
    ...({ example_id, subject_id, strict, strata, answer_type } as Pick<
      ScoredItem,
      "example_id" | "subject_id" | "strict" | "strata" | "answer_type"
    >),
    question: text(question),
    answer: text(answer),
    prediction: text(prediction),
    ...(typeof tokens === "number" ? { tokens } : {}),
    ...(lenient === 0 || lenient === 1 ? { lenient } : {}),
    ...(typeof token_f1 === "number" ? { token_f1 } : {}),
    ...(typeof parse_failure === "boolean" ? { parse_failure } : {}),
    ...(statements == null ? {} : { statements: statements as NonNullable<ScoredItem["statements"]> }),
  };
}
