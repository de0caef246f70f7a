/**
 * The verdict on an arm: a gain over a weak baseline says nothing, so only the best of all baselines counts (Stronger
 * Baselines, arXiv 2409.12116; the rule is ours).
 */
import { meanOf } from "../core/mean.ts";
import type { Verdict } from "../runs/verdict.ts";
import { type BootstrapOptions, bootstrapMeans, type Interval } from "./bootstrap.ts";
import { detectableDifference, holm, signFlipP } from "./statistics.ts";

/** Scores of something on the same questions in the same order. */
export interface Scored {
  readonly name: string;
  readonly values: readonly number[];
}

export interface ScoredBaseline extends Scored {
  /** Its accuracy on validation questions, where it was measured there. */
  readonly validation?: number;
}

/** An arm's paired difference from one baseline, tested. */
export interface TestedDifference {
  readonly difference: Interval;
  /** Two-sided. */
  readonly p: number;
  /** The true difference of this pair that would be seen in four of five trials; null if unknown. */
  readonly detectable_difference: number | null;
}

/** The level of the test and of its interval. */
const LEVEL = 0.05;

/**
 * A verdict for each arm: `improved` if its paired interval lies above 0 against every baseline and its p, the largest
 * of them, stays below 0.05 after Holm's correction over the arms; `worse` if it lies below 0 against the best
 * baseline, corrected alike; else `not_shown`. Asking for all baselines makes the choice of the best one harmless: a
 * further baseline can only take the word "improved" away. The best is the best on validation questions where all were
 * measured there. Else it is the best on these, which luck favours, so that its p is multiplied by the number of baselines
 * before an arm is called worse (Bonferroni). Intervals are bootstrapped and p is exact, both over subjects. Throws
 * without questions or baselines.
 */
export function verdicts(
  arms: readonly Scored[],
  baselines: readonly ScoredBaseline[],
  subjects: readonly string[],
  options: BootstrapOptions = {},
): readonly Verdict[] {
  if (baselines.length === 0) throw new Error("internal: verdicts: no baselines");
  return verdictsOf(
    arms.map((arm) => {
      const differences = baselines.map(({ values }) => arm.values.map((value, i) => value - values[i]!));
      const intervals = bootstrapMeans(differences, subjects, options);
      return differences.map((values, b) => ({
        difference: intervals[b]!,
        p: signFlipP(values, subjects),
        detectable_difference: detectableDifference(values, subjects),
      }));
    }),
    baselines.map(({ values, ...baseline }) => ({ ...baseline, accuracy: meanOf(values) })),
  );
}

/** The same from each arm's differences from the baselines, in the baselines' order. */
export function verdictsOf(
  arms: readonly (readonly TestedDifference[])[],
  baselines: readonly { readonly name: string; readonly accuracy: number; readonly validation?: number }[],
): readonly Verdict[] {
  const { best, chosenOn } = chooseBest(baselines);
  const largest = arms.map((tests) => Math.max(...tests.map(({ p }) => p)));
  const tried = chosenOn === "validation" ? 1 : baselines.length;
  const ofBest = arms.map((tests) => Math.min(1, tried * tests[best]!.p));
  const [improvedP, worseP] = [holm(largest), holm(ofBest)];
  return arms.map((tests, i): Verdict => {
    const { difference, detectable_difference } = tests[best]!;
    const isAbove = tests.every(({ difference: { low } }) => low > 0) && improvedP[i]! < LEVEL;
    const isBelow = difference.high < 0 && worseP[i]! < LEVEL;
    return {
      verdict: isAbove ? "improved" : isBelow ? "worse" : "not_shown",
      against: baselines[best]!.name,
      chosen_on: chosenOn,
      difference,
      p: isBelow ? ofBest[i]! : largest[i]!,
      p_holm: isBelow ? worseP[i]! : improvedP[i]!,
      unbeaten: baselines.flatMap(({ name }, b) => (tests[b]!.difference.low > 0 ? [] : [name])),
      detectable_difference,
    };
  });
}

function chooseBest(baselines: readonly { readonly accuracy: number; readonly validation?: number }[]) {
  const known = baselines.every(({ validation }) => validation !== undefined);
  const scores = baselines.map(({ accuracy, validation }) => (known ? validation! : accuracy));
  const chosenOn = known ? ("validation" as const) : ("these questions" as const);
  return { best: scores.indexOf(Math.max(...scores)), chosenOn };
}
