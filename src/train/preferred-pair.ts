/** The completion to prefer and the one to reject of a group, by a score of how they were reached (PLPF, arXiv 2401.05695). */

export interface PreferredPair {
  readonly chosen: number;
  readonly rejected: number;
}

/**
 * The two whose scores are furthest apart, by at least `minGap`, where the better one is not the worse answer by `right` (null or
 * absent says nothing of an answer); null without such a pair. Scores of null take no part; of equal pairs the first.
 */
export function preferredPair(
  scores: readonly (number | null)[],
  { minGap, right = [] }: { readonly minGap: number; readonly right?: readonly (number | null)[] },
): PreferredPair | null {
  let best: (PreferredPair & { readonly gap: number }) | null = null;
  for (const [chosen, better] of scores.entries()) {
    for (const [rejected, worse] of scores.entries()) {
      if (better === null || worse === null || isWorse(right[chosen], right[rejected])) continue;
      const gap = better - worse;
      if (gap > 0 && gap >= minGap - ROUNDING && gap > (best?.gap ?? 0)) best = { chosen, rejected, gap };
    }
  }
  return best === null ? null : { chosen: best.chosen, rejected: best.rejected };
}

function isWorse(chosen: number | null | undefined, rejected: number | null | undefined): boolean {
  return chosen != null && rejected != null && chosen < rejected;
}

/** Scores are sums of shares: 0.7 − 0.5 is a gap of 0.2. */
const ROUNDING = 1e-9;
