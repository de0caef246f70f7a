/**
 * Which question an index of a split asks. Each kind of question cycles through its cells, which have every answer of every
 * question equally often, so that ignoring the image gives chance accuracy. The dial `question_prior` breaks that on purpose.
 */
import { fold, integer, permutation, pick, type RandomKey, randomKey, uniform } from "../../../core/random.ts";

/** A cell of a kind; `key` determines its free choices, `round` is how often the kind has cycled through its cells. */
export type Cell<Q> = (key: RandomKey, round: number) => Q;

/** What cells are told apart by: the question with its options in any order, and its answer. */
export interface Asking {
  readonly question: string;
  readonly answer: string;
  /** All possible answers of the question: chance is one in this number. */
  readonly answers: readonly string[];
}

/**
 * The kind and the question at an index of a split; `splitKey` is derived from seed and split. With a `prior`, the share of
 * answers that the question alone predicts, cells give way to the one of the same question with its preferred answer.
 */
export function questionAt<Kind extends string, Q extends Asking>(
  cells: Readonly<Record<Kind, readonly Cell<Q>[]>>,
  splitKey: RandomKey,
  index: number,
  prior: number | null = null,
): { readonly kind: Kind; readonly asked: Q } {
  const names = Object.keys(cells) as Kind[];
  const turn = Math.floor(index / names.length);
  const kind = names[permutation(fold(fold(splitKey, "kinds"), turn), names.length)[index % names.length]!]!;
  const own = cells[kind];
  const round = Math.floor(turn / own.length);
  const at = permutation(fold(fold(splitKey, kind), round), own.length)[turn % own.length]!;
  const cell = prior === null ? at : cellOfPrior(own, at, prior, fold(fold(splitKey, "prior"), index));
  // The correct option's letter advances with every cell and every round.
  return { kind, asked: own[cell]!(fold(fold(splitKey, "question"), index), cell + round) };
}

/** The same cell, or the one with its question's preferred answer, so often that the prior is reached. */
function cellOfPrior<Q extends Asking>(cells: readonly Cell<Q>[], at: number, prior: number, key: RandomKey): number {
  const { preferred, chance } = groupsOf(cells)[at]!;
  return uniform(key, 0) < (prior - chance) / (1 - chance) ? pick(key, 1, preferred) : at;
}

interface Group {
  /** The cells with the preferred answer. */
  readonly preferred: readonly number[];
  readonly chance: number;
}

const known = new WeakMap<readonly Cell<Asking>[], readonly Group[]>();

/** For every cell its group; which answer a question prefers depends on its words alone, so it is the same in all splits. */
function groupsOf<Q extends Asking>(cells: readonly Cell<Q>[]): readonly Group[] {
  const found = known.get(cells);
  if (found !== undefined) return found;
  const probe = randomKey(0, "probe");
  const asked = cells.map((cell) => cell(probe, 0));
  const nameOf = ({ question, answers }: Asking) => `${question} ${[...answers].sort().join("|")}`;
  const groups = asked.map((own): Group => {
    const same = asked.flatMap((other, i) => (nameOf(other) === nameOf(own) ? [i] : []));
    const answers = [...new Set(same.map((i) => asked[i]!.answer))].sort();
    const answer = answers[integer(fold(probe, nameOf(own)), 0, answers.length)]!;
    return { preferred: same.filter((i) => asked[i]!.answer === answer), chance: 1 / own.answers.length };
  });
  known.set(cells, groups);
  return groups;
}
