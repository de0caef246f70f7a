/**
 * UADT (OphthaReason, arXiv 2508.16129; the formula is ours): right answers to questions that the policy is unsure of gain by
 * long reasoning, those to questions that it is sure of by short.
 */
import { number, text } from "../../core/fields.ts";
import { meanOf } from "../../core/mean.ts";
import { standardDeviation } from "../advantages.ts";
import { defineShaper, type ScoredGroup } from "../algorithm.ts";

const EPSILON = 1e-6;
/** Of the running mean and deviation, per question. */
const DECAY = 0.9;
const MOST = 2;
const IDLE = "must keep its default: only shaping uadt reads it";

/** Mean and deviation of questions' uncertainty so far. */
export interface Uncertainty {
  readonly mean: number;
  readonly deviation: number;
}

const MEAN = "shaping/uncertainty_mean";
const DEVIATION = "shaping/uncertainty_std";

export const uadt = defineShaper({
  options: {
    uadt_kappa: number({ above: 0 }).default(1).describe("With shaping uadt: how sharply a question counts as unsure."),
    uadt_lambda: number({ min: 0 }).default(0.3).describe("The most that the length of reasoning moves an advantage."),
    uadt_correct: text("the name of a reward")
      .default("accuracy")
      .describe("The reward that is 1 for a right answer, in shaping uadt."),
  },
  idle: {
    uadt_kappa: { value: 1, error: IDLE },
    uadt_lambda: { value: 0.3, error: IDLE },
    uadt_correct: { value: "accuracy", error: IDLE },
  },
  stats: ["entropy"],
  rewardKeys: ["uadt_correct"],
  shape(groups, advantages, { uadt_kappa: kappa, uadt_lambda: lambda, uadt_correct: correct }, before) {
    const of = groups.map(questionUncertainty);
    const known = of.filter((one) => one !== null);
    const batch = { mean: meanOf(known), deviation: Math.sqrt(meanOf(known.map((one) => (one - meanOf(known)) ** 2))) };
    const [mean, deviation] = [before[MEAN], before[DEVIATION]];
    const state = typeof mean === "number" && typeof deviation === "number" ? { mean, deviation } : batch;
    const next = known.length === 0 ? state : moved(state, known);
    return {
      advantages: groups.map((group, g) => {
        const pull = pullOf(of[g]!, state, kappa);
        const depths = depthScores(group.tokens!.map((one) => lengthOf(one.rationale())));
        return advantages[g]!.map((advantage, i) => {
          const isRight = (group.rewards[correct]![i] ?? 0) >= 1;
          return isRight ? Math.max(0, advantage + lambda * pull * Math.tanh(depths[i]!)) : advantage;
        });
      }),
      metrics: known.length === 0 && mean === undefined ? {} : { [MEAN]: next.mean, [DEVIATION]: next.deviation },
    };
  },
});

/** 2σ(κu) − 1, of u in standard deviations within ±2: above 0 for a question less sure than most so far. */
export function pullOf(uncertainty: number | null, { mean, deviation }: Uncertainty, kappa: number): number {
  if (uncertainty === null) return 0;
  const u = Math.min(MOST, Math.max(-MOST, (uncertainty - mean) / (deviation + EPSILON)));
  return 2 / (1 + Math.exp(-kappa * u)) - 1;
}

/** How long each completion's reasoning is, in standard deviations of its group. */
export function depthScores(lengths: readonly number[]): number[] {
  const [mean, deviation] = [meanOf(lengths), standardDeviation(lengths)];
  return lengths.map((length) => (length - mean) / (deviation + EPSILON));
}

/** Mean over completions of their reasoning's mean entropy; null where none reasons. */
function questionUncertainty({ tokens }: ScoredGroup): number | null {
  const own = tokens!.flatMap(({ stats, rationale }) => {
    const [start, end] = rationale();
    return end > start ? [meanOf(stats.entropy!.subarray(start, end))] : [];
  });
  return own.length === 0 ? null : meanOf(own);
}

/** After these questions, in whatever order they came. */
function moved({ mean, deviation }: Uncertainty, questions: readonly number[]): Uncertainty {
  const kept = DECAY ** questions.length;
  const variance = kept * deviation ** 2 + (1 - kept) * meanOf(questions.map((one) => (one - mean) ** 2));
  return { mean: kept * mean + (1 - kept) * meanOf(questions), deviation: Math.sqrt(variance) };
}

function lengthOf([start, end]: readonly [number, number]): number {
  return end - start;
}
