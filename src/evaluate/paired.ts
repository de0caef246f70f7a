/** Paired comparison of two sets of scores on the same questions: difference, verdict and tests. */
import { type BootstrapOptions, type Interval, pairedBootstrap } from "./bootstrap.ts";
import { detectableDifference, mcnemarExact } from "./statistics.ts";

export interface PairedComparison {
  /** Ours minus theirs, paired, with its interval over subjects. */
  readonly difference: Interval;
  /** "better" or "worse" if the interval excludes 0, else "open". */
  readonly verdict: "better" | "worse" | "open";
  /** Questions that only ours, or only theirs, answered correctly. */
  readonly won: number;
  readonly lost: number;
  /** McNemar's exact test over rows; it assumes independent rows, so the interval decides. */
  readonly mcnemar_p: number;
  /** The smallest true difference of this pair that this many subjects detect with 80 % power; null for one subject. */
  readonly detectable_difference: number | null;
}

/**
 * Compares scores of 0 and 1; a known interval of their difference can be passed to avoid resampling. Throws without
 * scores.
 */
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

/** The verdict: an interval that includes 0 is "open". */
export function verdictOf({ low, high }: Interval): PairedComparison["verdict"] {
  return low > 0 ? "better" : high < 0 ? "worse" : "open";
}
