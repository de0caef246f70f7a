/** Chooses the threshold at which thoughts end, on questions set aside for that (the rule is METHODS': at most a point is lost). */
import { meanOf } from "../core/mean.ts";
import { type StoppedOutcome, stoppedAt, stoppedBy, type ThoughtTrace } from "./traces.ts";
import type { StopOptions } from "./trial.ts";

/** Thresholds that are tried, from eager to never. */
export const THRESHOLDS = [0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999, 0.9999] as const;

/** How a rule does on traced questions. */
export interface RuleFigures {
  /** Share of right answers. */
  readonly accuracy: number;
  /** Means per question: tokens of the completion, and with those of trials. */
  readonly tokens: number;
  readonly spent: number;
  /** Share of the full thoughts' tokens that is saved, trials counted; negative where trials cost more. */
  readonly saved: number;
  /** Share of thoughts that were ended. */
  readonly stopped: number;
}

export interface Calibration {
  readonly full: RuleFigures;
  readonly thresholds: readonly (RuleFigures & { readonly threshold: number })[];
  /** Controls: every thought ended after the same number of sentences. */
  readonly fixed: readonly (RuleFigures & { readonly sentences: number })[];
  /** The threshold that saves most and loses at most `maxLoss`; null where none saves anything. */
  readonly chosen: number | null;
}

/** `isRight` scores an outcome of the question at an index. */
export function calibrate(
  traces: readonly ThoughtTrace[],
  isRight: (question: number, outcome: StoppedOutcome) => boolean,
  o: Omit<StopOptions, "threshold">,
  maxLoss = 0.01,
): Calibration {
  const whole = meanOf(traces.map(({ full }) => full.tokens));
  const figures = (rule: (trace: ThoughtTrace) => StoppedOutcome): RuleFigures => {
    const outcomes = traces.map(rule);
    const spent = meanOf(outcomes.map(({ tokens, trialTokens }) => tokens + trialTokens));
    return {
      accuracy: meanOf(outcomes.map((outcome, i) => (isRight(i, outcome) ? 1 : 0))),
      tokens: meanOf(outcomes.map(({ tokens }) => tokens)),
      spent,
      saved: whole === 0 ? 0 : 1 - spent / whole,
      stopped: meanOf(outcomes.map(({ sentences }) => (sentences === null ? 0 : 1))),
    };
  };
  const full = figures((trace) => ({ ...trace.full, sentences: null, trialTokens: 0 }));
  const thresholds = THRESHOLDS.map((threshold) => {
    return { threshold, ...figures((trace) => stoppedBy(trace, { ...o, threshold })) };
  });
  const longest = Math.max(0, ...traces.map(({ trials }) => trials.length));
  const fixed = Array.from({ length: longest }, (_, i) => {
    return { sentences: i + 1, ...figures((trace) => stoppedAt(trace, i + 1)) };
  });
  const allowed = thresholds.filter(({ accuracy, saved }) => saved > 0 && accuracy >= full.accuracy - maxLoss - 1e-9);
  const best = allowed.reduce<(typeof allowed)[number] | null>(
    (a, b) => (a === null || b.saved > a.saved ? b : a),
    null,
  );
  return { full, thresholds, fixed, chosen: best?.threshold ?? null };
}
