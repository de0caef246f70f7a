/** Two sets of scores of the same questions: by how much they differ, question by question, and what can be said of it. */
import { type BootstrapOptions, type Interval, pairedBootstrap } from "./bootstrap.ts";
import { detectableDifference, mcnemarExact } from "./statistics.ts";

export interface PairedComparison {
  /** Ours less theirs, paired, with its interval over subjects. */
  readonly difference: Interval;
  /** The interval excludes 0, or not. */
  readonly verdict: "better" | "worse" | "open";
  /** Questions right by ours alone, and by theirs alone. */
  readonly won: number;
  readonly lost: number;
  /** McNemar's exact test over the rows; it takes them for independent, so the interval decides. */
  readonly mcnemar_p: number;
  /** The smallest true difference of this pair that so many subjects show in four of five trials; null for one subject. */
  readonly detectable_difference: number | null;
}

/** Compares scores of 0 and 1; an interval of their difference that is known already need not be drawn again. Throws for none. */
export function paired(
  ours: readonly number[],
  theirs: readonly number[],
  subjects: readonly string[],
  known?: Interval | BootstrapOptions,
): PairedComparison {
  const isKnown = known !== undefined && "estimate" in known;
  const difference = isKnown ? known : pairedBootstrap(ours, theirs, subjects, known);
  if (difference === null) throw new Error("internal: paired: no scores to compare");
  const right = (values: readonly number[]) => values.map((value) => value === 1);
  const { onlyA, onlyB, p } = mcnemarExact(right(ours), right(theirs));
  return {
    difference,
    verdict: verdictOf(difference),
    won: onlyA,
    lost: onlyB,
    mcnemar_p: p,
    detectable_difference: detectableDifference(
      ours.map((value, i) => value - theirs[i]!),
      subjects,
    ),
  };
}

/** Only an interval that excludes 0 says which is better. */
export function verdictOf({ low, high }: Interval): PairedComparison["verdict"] {
  return low > 0 ? "better" : high < 0 ? "worse" : "open";
}
