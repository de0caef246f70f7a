/** Metrics of several sampled answers to a question; every value is in [0, 1]. */

/**
 * The probability that at least one of k answers drawn from n, `right` of them correct, is correct (Chen 2021,
 * 2107.03374).
 */
export function passAtK(n: number, right: number, k: number): number {
  if (!(k >= 1 && k <= n && right >= 0 && right <= n)) {
    throw new Error(
      `internal: passAtK: expected k from 1 to n and right from 0 to n, got n ${n}, right ${right}, k ${k}`,
    );
  }
  let allWrong = 1;
  for (let i = 0; i < k; i++) allWrong *= Math.max(0, n - right - i) / (n - i);
  return 1 - allWrong;
}

/** The index of the first of the k votes that agrees with the majority; null votes are ignored; null if all are. */
export function majorityIndex(votes: readonly (string | null)[], k = votes.length): number | null {
  const counts = new Map<string, { readonly first: number; readonly count: number }>();
  for (const [i, vote] of votes.slice(0, k).entries()) {
    if (vote === null) continue;
    const { first, count } = counts.get(vote) ?? { first: i, count: 0 };
    counts.set(vote, { first, count: count + 1 });
  }
  let best: { readonly first: number; readonly count: number } | null = null;
  for (const entry of counts.values()) if (best === null || entry.count > best.count) best = entry;
  return best?.first ?? null;
}
