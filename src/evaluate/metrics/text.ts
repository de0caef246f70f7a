/** Text overlap and sampled-answer metrics on normalised tokens; every value is in [0, 1]. */

/** BLEU-1: clipped unigram precision times the brevity penalty (Papineni 2002); 0 without tokens. */
export function bleu1(prediction: readonly string[], reference: readonly string[]): number {
  if (prediction.length === 0) return 0;
  const penalty = Math.exp(Math.min(0, 1 - reference.length / prediction.length));
  return (penalty * commonTokens(prediction, reference)) / prediction.length;
}

/** ROUGE-L: the F-measure of the longest common subsequence (Lin 2004). */
export function rougeL(prediction: readonly string[], reference: readonly string[]): number {
  let row = new Int32Array(reference.length + 1);
  for (const token of prediction) {
    const next = new Int32Array(reference.length + 1);
    for (let j = 0; j < reference.length; j++) {
      next[j + 1] = token === reference[j] ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!);
    }
    row = next;
  }
  const common = row[reference.length]!;
  return common === 0 ? 0 : (2 * common) / (prediction.length + reference.length);
}

/** The fraction of the reference's tokens, as a multiset, that the prediction contains. */
export function tokenRecall(prediction: readonly string[], reference: readonly string[]): number {
  return reference.length === 0 ? 0 : commonTokens(prediction, reference) / reference.length;
}

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

/** Size of the multiset intersection of tokens. */
function commonTokens(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const token of b) left.set(token, (left.get(token) ?? 0) + 1);
  let common = 0;
  for (const token of a) {
    const count = left.get(token) ?? 0;
    if (count === 0) continue;
    common++;
    left.set(token, count - 1);
  }
  return common;
}
