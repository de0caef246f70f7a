/**
 * Chooses the rollout groups of a report, in one pass and bounded memory: some from steps spread evenly over the run,
 * including the first and the last, and the best, the worst and the most divided groups overall.
 */
import { z } from "zod";
import { meanOf } from "../core/mean.ts";

const evidence = z.object({
  reward: z.string(),
  start: z.number(),
  end: z.number(),
  label: z.string(),
  concept: z.string().optional(),
  verdict: z.union([z.boolean(), z.literal("unknown")]),
});

const turn = z.object({
  text: z.string(),
  call: z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) }).nullable(),
  observation: z
    .object({ text: z.string(), is_error: z.boolean(), image: z.object({ path: z.string() }).nullable() })
    .nullable(),
});

const completion = z.object({
  text: z.string(),
  turns: z.array(turn).optional(),
  tokens: z.number().optional(),
  finish_reason: z.string().optional(),
  parsed_answer: z.object({ text: z.string(), start: z.number(), end: z.number() }).nullable().optional(),
  rewards: z.record(z.string(), z.unknown()).default({}),
  evidence: z.array(evidence).default([]),
  reward: z.unknown().optional(),
  advantage: z.unknown().optional(),
});

const group = z.object({
  id: z.string(),
  step: z.number(),
  stage: z.string().default(""),
  example_id: z.string().default(""),
  images: z.array(z.object({ path: z.string(), sha256: z.string().optional() })).default([]),
  question: z.string().default(""),
  answer: z.string().default(""),
  answer_type: z.string().default(""),
  choices: z.array(z.string()).default([]),
  meta: z.record(z.string(), z.string()).default({}),
  prompt: z.string().default(""),
  completions: z.array(completion),
});

/** The fields of a rollouts.jsonl row that a report shows. */
export type ShownGroup = z.infer<typeof group>;
export type ShownCompletion = ShownGroup["completions"][number];
export type ShownEvidence = z.infer<typeof evidence>;
export type ShownTurn = z.infer<typeof turn>;

/** A chosen group and the reasons: "step", or its superlatives. */
export interface ChosenGroup {
  readonly group: ShownGroup;
  readonly reasons: readonly ("best" | "worst" | "divided")[];
}

export interface RolloutSample {
  /** By step. */
  readonly chosen: readonly ChosenGroup[];
  /** Total number of groups. */
  readonly groups: number;
  readonly completions: number;
  /** Number of rows that are not rollout groups. */
  readonly unreadable: number;
}

interface Candidate {
  readonly line: Readonly<Record<string, unknown>>;
  readonly step: number;
  readonly mean: number;
  readonly spread: number;
}

/** Chooses from rows in order of steps; at most `spread` steps with two groups each, and `each` per superlative. */
export function sampleRollouts(
  lines: Iterable<Readonly<Record<string, unknown>>>,
  limits: { readonly steps: number; readonly each: number },
): RolloutSample {
  const count = { groups: 0, completions: 0, unreadable: 0 };
  const steps = createStepKeeper(limits.steps);
  const best = createRanking(limits.each, ({ mean }) => mean);
  const worst = createRanking(limits.each, ({ mean }) => -mean);
  const divided = createRanking(limits.each, ({ spread }) => (spread > 0 ? spread : Number.NEGATIVE_INFINITY));
  for (const line of lines) {
    const candidate = toCandidate(line);
    if (candidate === null) {
      count.unreadable++;
      continue;
    }
    count.groups++;
    count.completions += (line["completions"] as readonly unknown[]).length;
    steps.see(candidate);
    for (const ranking of [best, worst, divided]) ranking.see(candidate);
  }
  const reasons = new Map<Candidate, ("best" | "worst" | "divided")[]>();
  const chosen = (candidates: readonly Candidate[], reason?: "best" | "worst" | "divided") => {
    for (const candidate of candidates) {
      reasons.set(candidate, [...(reasons.get(candidate) ?? []), ...(reason === undefined ? [] : [reason])]);
    }
  };
  chosen(steps.kept());
  chosen(best.kept(), "best");
  chosen(worst.kept(), "worst");
  chosen(divided.kept(), "divided");
  const sorted = [...reasons].sort(([a], [b]) => a.step - b.step);
  const parsed = sorted.flatMap(([{ line }, why]) => {
    const { success, data } = group.safeParse(line);
    if (!success) count.unreadable++;
    return success ? [{ group: data, reasons: why }] : [];
  });
  return { chosen: parsed, ...count };
}

function toCandidate(line: Readonly<Record<string, unknown>>): Candidate | null {
  const { step, completions } = line;
  if (typeof step !== "number" || !Array.isArray(completions)) return null;
  const rewards = completions.map((completion) => completion?.reward).filter((reward) => typeof reward === "number");
  if (rewards.length === 0) return { line, step, mean: Number.NaN, spread: 0 };
  const mean = meanOf(rewards);
  const spread = Math.sqrt(rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / rewards.length);
  return { line, step, mean, spread };
}

/**
 * Keeps the two most divided groups of steps at a regular stride; if there are too many steps, every second one is
 * dropped.
 */
function createStepKeeper(most: number): { see(candidate: Candidate): void; kept(): readonly Candidate[] } {
  let stride = 1;
  let seen = 0;
  let current: number | null = null;
  let kept: { index: number; best: readonly Candidate[] }[] = [];
  let last: readonly Candidate[] = [];
  const two = (candidates: readonly Candidate[]) => [...candidates].sort((a, b) => b.spread - a.spread).slice(0, 2);
  return {
    see(candidate) {
      if (candidate.step !== current) {
        current = candidate.step;
        last = [];
        seen++;
        if ((seen - 1) % stride === 0) kept.push({ index: seen - 1, best: [] });
        if (kept.length > 2 * most) {
          stride *= 2;
          kept = kept.filter(({ index }) => index % stride === 0);
        }
      }
      last = two([...last, candidate]);
      const newest = kept.at(-1);
      if (newest?.index === seen - 1) newest.best = last;
    },
    kept() {
      const spread = Math.max(1, Math.ceil(kept.length / Math.max(1, most - 1)));
      const even = kept.filter((_, i) => i % spread === 0).flatMap(({ best }) => best);
      return [...new Set([...even, ...last])];
    },
  };
}

/** The candidates of highest value; ties go to the first, and each example appears once. */
function createRanking(most: number, rank: (candidate: Candidate) => number) {
  let ranked: readonly Candidate[] = [];
  return {
    see(candidate: Candidate) {
      const value = rank(candidate);
      if (most === 0 || Number.isNaN(value) || value === Number.NEGATIVE_INFINITY) return;
      if (ranked.length >= most && value <= rank(ranked.at(-1)!)) return;
      const same = ranked.find(({ line }) => line["example_id"] === candidate.line["example_id"]);
      if (same !== undefined && rank(same) >= value) return;
      const others = ranked.filter((other) => other !== same);
      ranked = [...others, candidate].sort((a, b) => rank(b) - rank(a)).slice(0, most);
    },
    kept: () => ranked,
  };
}
