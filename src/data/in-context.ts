/**
 * Solved examples that stand in a prompt before the question ("Unveiling the Generalization Power", NAACL 2024): the first of
 * the training data, as there, or drawn for each question. Never one of the question's own subject.
 */
import { UserError } from "../core/errors.ts";
import { fold, integer, permutation, type RandomKey, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";

export interface InContextOptions {
  readonly count: number;
  /** The first of the pool for every question, in place of a draw that depends on seed and question alone. */
  readonly fixed?: boolean;
  /** As many of each answer as of any other, to one more or less (closed and choice questions; ours after XAI4LLM). */
  readonly balanced?: boolean;
  readonly seed: number;
}

/** Gives the examples to stand before a question. Throws UserError where the pool has too few of other subjects. */
export function inContextExamples(
  pool: readonly Example[],
  { count, fixed = false, balanced = false, seed }: InContextOptions,
): (question: Example) => readonly Example[] {
  if (count === 0) return () => [];
  return (question) => {
    const key = randomKey(seed, "in context", question.id);
    const allowed = ({ subjectId, id }: Example) => subjectId !== question.subjectId && id !== question.id;
    const found = balanced
      ? balancedOf(
          pool.filter((one) => allowed(one) && one.answerType === question.answerType),
          count,
          key,
        )
      : firstAllowed(pool, fixed ? null : key, count, allowed);
    if (found.length === count) return found;
    throw new UserError(
      `example "${question.id}": ${count} solved examples in its prompt, and the training data have ${found.length} of other subjects${balanced ? " and its answer type" : ""}`,
    );
  };
}

/** In the pool's order, or in one of the key's own; at most `count`. */
function firstAllowed(
  pool: readonly Example[],
  key: RandomKey | null,
  count: number,
  allowed: (example: Example) => boolean,
): readonly Example[] {
  const found: Example[] = [];
  const taken = new Set<number>();
  // Draws, which are quick, and then, for pools with little that is allowed, everything in a random order.
  for (let draw = 0; key !== null && draw < 8 * count && found.length < count; draw++) {
    const i = integer(key, draw, pool.length);
    if (!taken.has(i) && allowed(pool[i]!)) found.push(pool[i]!);
    taken.add(i);
  }
  const order = key === null || found.length === count ? null : permutation(fold(key, "rest"), pool.length);
  for (let at = 0; at < pool.length && found.length < count; at++) {
    const i = order === null ? at : order[at]!;
    if (!taken.has(i) && allowed(pool[i]!)) found.push(pool[i]!);
  }
  return found;
}

/** Answers in turn, each one's examples and the answers themselves in the key's order; then mixed. */
function balancedOf(pool: readonly Example[], count: number, key: RandomKey): readonly Example[] {
  const byAnswer = new Map<string, Example[]>();
  for (const example of pool) {
    const answer = example.answer.trim().toLowerCase();
    byAnswer.set(answer, [...(byAnswer.get(answer) ?? []), example]);
  }
  const classes = [...byAnswer]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([answer, examples]) => {
      return Array.from(permutation(fold(key, answer), examples.length), (i) => examples[i]!);
    });
  const turns = Array.from(permutation(fold(key, "classes"), classes.length), (c) => classes[c]!);
  const found: Example[] = [];
  for (let round = 0; found.length < count && turns.some((of) => round < of.length); round++) {
    for (const of of turns) if (found.length < count && round < of.length) found.push(of[round]!);
  }
  return Array.from(permutation(fold(key, "order"), found.length), (i) => found[i]!);
}
