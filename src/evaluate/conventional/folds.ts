/** Folds for cross-validation that no subject is in two of. */
import { permutation, randomKey } from "../../core/random.ts";

/** The fold of each row, 0 to folds - 1: subjects in random order by the seed, dealt out one by one. */
export function subjectFolds(subjects: readonly string[], folds: number, seed: number): Int32Array {
  const names = [...new Set(subjects)];
  const order = permutation(randomKey(seed, "folds"), names.length);
  const fold = new Map(Array.from(order, (subject, at) => [names[subject]!, at % folds] as const));
  return Int32Array.from(subjects, (subject) => fold.get(subject)!);
}
