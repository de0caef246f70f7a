/**
 * What training on one kind of data does to the others ("Unveiling the Generalization Power of Fine-Tuned Large Language
 * Models", NAACL 2024): scores of models by what they were trained on (rows) and tested on (columns), against the model before.
 */

export interface Generalisation {
  /** Score over the base's, less 1; NaN where the base scores 0. */
  readonly relative: readonly (readonly number[])[];
  /** Of each row, the mean over the other columns of score over the base's (our summary); NaN without another column. */
  readonly retention: readonly number[];
}

/** `own[i]` is the column that row i was trained on; null for none. */
export function generalisation(
  scores: readonly (readonly number[])[],
  base: readonly number[],
  own: readonly (number | null)[],
): Generalisation {
  const relative = scores.map((row) => row.map((score, j) => score / base[j]! - 1));
  const retention = relative.map((row, i) => {
    const others = row.filter((value, j) => j !== own[i] && Number.isFinite(value));
    return others.length === 0 ? Number.NaN : 1 + others.reduce((sum, value) => sum + value, 0) / others.length;
  });
  return { relative, retention };
}
