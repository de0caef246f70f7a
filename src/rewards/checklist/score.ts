/**
 * The score of a checklist (PLPF, arXiv 2401.05695; the formula is ours): S = G·(1 − μ + μ·C), where G is the weight of the
 * goals reached over all, and C that of the constraints kept over all.
 */
import type { StepScore } from "../../core/records.ts";

export interface Goal {
  readonly id: string;
  readonly weight: number;
  /** Goals that must be reached no later. */
  readonly after: readonly string[];
}

export interface ReachedGoal extends Goal {
  /** The part of the text, counted from 0, that reaches it first; null: none does. */
  readonly at: number | null;
}

export interface ConstraintOutcome {
  readonly weight: number;
  readonly kept: boolean;
}

/**
 * Where each goal is reached: in the first part that holds it and comes no earlier than all of its `after`. Goals come in
 * an order in which each follows its `after`; one that is missing there asks for nothing.
 */
export function reachGoals<T extends Goal>(
  goals: readonly T[],
  parts: number,
  holds: (goal: T, part: number) => boolean,
): readonly (T & ReachedGoal)[] {
  const reached = new Map<string, number | null>();
  return goals.map((goal) => {
    const before = goal.after.map((id) => reached.get(id) ?? (reached.has(id) ? Number.POSITIVE_INFINITY : 0));
    let at: number | null = null;
    for (let part = Math.max(0, ...before); part < parts && at === null; part++) if (holds(goal, part)) at = part;
    reached.set(goal.id, at);
    return { ...goal, at };
  });
}

/** S in [0, 1]; null without a goal that applies. */
export function checklistScore(
  goals: readonly ReachedGoal[],
  constraints: readonly ConstraintOutcome[],
  mu: number,
): number | null {
  if (goals.length === 0) return null;
  const g = weightOf(goals.filter(({ at }) => at !== null)) / weightOf(goals);
  const c = constraints.length === 0 ? 1 : weightOf(constraints.filter(({ kept }) => kept)) / weightOf(constraints);
  return g * (1 - mu + mu * c);
}

/** What each part earns: the share of the goals' weight that it is the first to reach. */
export function stepScores(goals: readonly ReachedGoal[], ends: readonly number[]): readonly StepScore[] {
  const total = weightOf(goals);
  return ends.map((end, part) => {
    const score = total === 0 ? 0 : weightOf(goals.filter(({ at }) => at === part)) / total;
    return { end, score };
  });
}

function weightOf(rules: readonly { readonly weight: number }[]): number {
  return rules.reduce((sum, { weight }) => sum + weight, 0);
}
