/** Texts as sparse rows: words and pairs of words, hashed into 4,096 columns and weighted by TF-IDF. */
import { normalisedTokens } from "../../answers/normalise.ts";
import type { Features, SparseRow } from "./features.ts";

/** Columns that words and pairs are hashed into. */
export const HASHED_COLUMNS = 4096;

/** Weighs texts by the document frequencies of the given ones, as scikit-learn's TfidfTransformer; rows have length 1. */
export function hashedWords(train: readonly string[]): (texts: readonly string[]) => Features {
  const frequency = new Int32Array(HASHED_COLUMNS);
  const known = new Map<string, ReadonlyMap<number, number>>();
  for (const text of train) {
    const counts = known.get(text) ?? countsOf(text);
    known.set(text, counts);
    for (const column of counts.keys()) frequency[column]! += 1;
  }
  const rowOf = (text: string): SparseRow => {
    const counts = [...(known.get(text) ?? countsOf(text))].sort(([a], [b]) => a - b);
    const weights = counts.map(
      ([column, count]) => count * (Math.log((1 + train.length) / (1 + frequency[column]!)) + 1),
    );
    const length = Math.sqrt(weights.reduce((sum, weight) => sum + weight ** 2, 0)) || 1;
    return {
      columns: Int32Array.from(counts, ([column]) => column),
      values: Float64Array.from(weights, (weight) => weight / length),
    };
  };
  return (texts) => {
    const rows = new Map([...new Set(texts)].map((text) => [text, rowOf(text)] as const));
    const sparse = texts.map((text) => rows.get(text)!);
    return { n: texts.length, width: 0, dense: new Float64Array(0), sparseWidth: HASHED_COLUMNS, sparse };
  };
}

function countsOf(text: string): ReadonlyMap<number, number> {
  const tokens = normalisedTokens(text);
  const counts = new Map<number, number>();
  const add = (term: string) => {
    const column = hash(term) % HASHED_COLUMNS;
    counts.set(column, (counts.get(column) ?? 0) + 1);
  };
  for (const [i, token] of tokens.entries()) {
    add(token);
    if (i > 0) add(`${tokens[i - 1]} ${token}`);
  }
  return counts;
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
