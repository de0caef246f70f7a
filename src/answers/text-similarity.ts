/** Text similarity: cosine of TF-IDF vectors, with the defaults of scikit-learn's TfidfVectorizer. */

/**
 * Similarities of a text's tokens to each of the given texts' tokens, in [0, 1]. A word's weight is its count times
 * ln((1 + n) / (1 + texts with it)) + 1 over the n given texts; words in none of them are ignored. A text without known
 * words has similarity 0 to all.
 */
export function textSimilarity(texts: readonly (readonly string[])[]): (tokens: readonly string[]) => Float64Array {
  const frequency = new Map<string, number>();
  for (const tokens of texts) {
    for (const token of new Set(tokens)) frequency.set(token, (frequency.get(token) ?? 0) + 1);
  }
  const weigh = (tokens: readonly string[]): readonly (readonly [string, number])[] => {
    const counts = new Map<string, number>();
    for (const token of tokens) if (frequency.has(token)) counts.set(token, (counts.get(token) ?? 0) + 1);
    const weights = [...counts].map(([token, count]) => {
      return [token, count * (Math.log((1 + texts.length) / (1 + frequency.get(token)!)) + 1)] as const;
    });
    const length = Math.sqrt(weights.reduce((sum, [, weight]) => sum + weight * weight, 0));
    return weights.map(([token, weight]) => [token, weight / length]);
  };
  /** By word: the texts that contain it, and its weight in each. */
  const postings = new Map<string, { readonly texts: number[]; readonly weights: number[] }>();
  for (const [i, tokens] of texts.entries()) {
    for (const [token, weight] of weigh(tokens)) {
      const found = postings.get(token) ?? { texts: [], weights: [] };
      found.texts.push(i);
      found.weights.push(weight);
      postings.set(token, found);
    }
  }
  return (tokens) => {
    const similarities = new Float64Array(texts.length);
    for (const [token, weight] of weigh(tokens)) {
      const { texts: having, weights } = postings.get(token)!;
      for (let i = 0; i < having.length; i++) similarities[having[i]!]! += weight * weights[i]!;
    }
    return similarities;
  };
}
