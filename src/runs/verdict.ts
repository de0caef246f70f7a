/** The verdict on an arm as evaluations and studies record it, and its sentence, the same in every table, page and card. */
import { percent, points } from "../core/percent.ts";
import type { Interval } from "./statistics-records.ts";

export type VerdictName = "improved" | "worse" | "not_shown";

export interface Verdict {
  readonly verdict: VerdictName;
  /** The baseline compared with: the best on validation if all were measured there, else the best on these questions. */
  readonly against: string;
  readonly chosen_on: "validation" | "these questions";
  /** The arm's accuracy minus that baseline's, paired. */
  readonly difference: Interval;
  /** Two-sided, the largest over all baselines; then Holm-corrected over the arms. */
  readonly p: number;
  readonly p_holm: number;
  /** Baselines that the arm is not shown to beat. */
  readonly unbeaten: readonly string[];
  /** The true difference that this pair would show in four of five trials; null for one subject, or where all came out alike. */
  readonly detectable_difference: number | null;
  /** Baselines whose settings were chosen from fewer trials than the arm's; absent without any. */
  readonly less_tuned?: readonly string[] | undefined;
}

/** An arm or a baseline with the runs that were tried to choose its settings; null where that is not known or not asked. */
export interface Tuned {
  readonly name: string;
  readonly trials: number | null;
}

/** The verdict with the baselines that were tuned less than the arm: what is gained over them may be tuning alone. */
export function withTuning(verdict: Verdict, arm: Tuned, baselines: readonly Tuned[]): Verdict {
  const less = baselines.filter(({ trials }) => trials !== null && arm.trials !== null && trials < arm.trials);
  return less.length === 0 ? verdict : { ...verdict, less_tuned: less.map(({ name }) => name) };
}

/** "improved: …", "worse: …" or "not shown: …", with the baseline, the difference and what could have been seen. */
export function verdictSentence(verdict: Verdict): string {
  const { less_tuned: less = [] } = verdict;
  const tuned = less.length === 0 ? "" : ` Settings of ${less.join(", ")} were chosen from fewer trials than these.`;
  return `${foundSentence(verdict)}${tuned}`;
}

function foundSentence(verdict: Verdict): string {
  const { against, difference, p_holm: p, unbeaten, detectable_difference: least } = verdict;
  const on = verdict.chosen_on === "validation" ? "on validation questions" : "on these questions";
  const figures = `${points(difference.estimate)} [${points(difference.low)}, ${points(difference.high)}] points against ${against}, the best baseline ${on}`;
  const tested = `p ${p < 0.001 ? "below 0.001" : p.toFixed(3)}`;
  if (verdict.verdict === "improved") return `improved: ${figures}; ${tested}.`;
  if (verdict.verdict === "worse") return `worse: ${figures}; ${tested}.`;
  const others = unbeaten.filter((name) => name !== against);
  const rest = others.length === 0 ? "" : `; not above ${others.join(", ")} either`;
  const could =
    least === null ? "" : `; a true difference of ${percent(least)} points would be seen in four of five trials`;
  const open = difference.low <= 0 && difference.high >= 0 ? "; the interval includes 0" : "";
  return `not shown: ${figures}; ${tested}${open}${rest}${could}.`;
}
