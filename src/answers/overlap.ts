/** Overlap of two texts as lists of words; every value is in [0, 1]. */

/** BLEU-1: clipped unigram precision times the brevity penalty (Papineni 2002); 0 without tokens. */
export function bleu1(prediction: readonly string[], reference: readonly string[]): number {
  if (prediction.length === 0) return 0;
  const penalty = Math.exp(Math.min(0, 1 - reference.length / prediction.length));
  return (penalty * commonTokens(prediction, reference)) / prediction.length;
}

/**
 * BLEU of one text: the geometric mean of clipped precisions of one to four words times the brevity penalty, with one added
 * to counts of two words and more (Lin & Och 2004; nltk's smoothing method 2); 0 without a common word.
 */
export function bleu4(prediction: readonly string[], reference: readonly string[]): number {
  if (prediction.length === 0 || commonTokens(prediction, reference) === 0) return 0;
  const logs = [1, 2, 3, 4].map((n) => {
    const [said, wanted] = [grams(prediction, n), grams(reference, n)];
    const added = n === 1 ? 0 : 1;
    return Math.log((commonTokens(said, wanted) + added) / (Math.max(1, said.length) + added));
  });
  const penalty = Math.min(0, 1 - reference.length / prediction.length);
  return Math.exp(penalty + logs.reduce((sum, log) => sum + log, 0) / 4);
}

/** ROUGE-1: the F-measure of common words (Lin 2004). */
export function rouge1(prediction: readonly string[], reference: readonly string[]): number {
  const common = commonTokens(prediction, reference);
  return common === 0 ? 0 : (2 * common) / (prediction.length + reference.length);
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

/** Runs of n words. */
function grams(tokens: readonly string[], n: number): readonly string[] {
  return Array.from({ length: Math.max(0, tokens.length - n + 1) }, (_, i) => tokens.slice(i, i + n).join("\u0000"));
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
