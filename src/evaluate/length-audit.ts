/**
 * Whether a score of completions is a score of their length (after Rc-BT, arXiv 2502.00814): accuracies on pairs of a better
 * and a worse completion, with the prompt as it is and taken away, and by which of the two is longer.
 */
import { permutation, randomKey } from "../core/random.ts";
import { type Measure, mean, measured, type Value } from "./probes/measure.ts";
import { spearman } from "./rank-correlation.ts";

/** A better and a worse completion of one question, with their lengths in tokens or words. */
export interface LengthPair {
  readonly subject: string;
  readonly question: string;
  readonly chosen: { readonly text: string; readonly length: number };
  readonly rejected: { readonly text: string; readonly length: number };
}

/** The scores of a pair's two completions; null where one has none. */
export type PairScore = readonly [chosen: number, rejected: number] | null;

/** How the question is put to the scorer; all but the first are for scorers that read it. */
export const PROMPTS = ["as it is", "emptied", "shuffled", "at most", "at least"] as const;
export type PromptChange = (typeof PROMPTS)[number];

/**
 * The question of each pair under a change: nothing; another pair's; with a demand for at most, or at least, as many words as
 * lie between the two completions.
 */
export function changedQuestions(pairs: readonly LengthPair[], change: PromptChange, seed: number): readonly string[] {
  const order = change === "shuffled" ? shuffled(pairs.length, seed) : null;
  return pairs.map(({ question, chosen, rejected }, i) => {
    if (change === "as it is") return question;
    if (change === "emptied") return "";
    if (order !== null) return pairs[order[i]!]!.question;
    const [fewer, more] = [wordsOf(chosen.text), wordsOf(rejected.text)].sort((a, b) => a - b) as [number, number];
    return `${question}\nAnswer in ${change} ${change === "at most" ? fewer : more} words.`;
  });
}

/** The audit of one scorer by its scores under each prompt; without any, of the preferences alone. */
export function lengthAudit(
  pairs: readonly LengthPair[],
  scores: Readonly<Partial<Record<PromptChange, readonly PairScore[]>>>,
): readonly Measure[] {
  const longer = pairs.map(({ chosen, rejected }) => preference([chosen.length, rejected.length])!);
  const own = scores["as it is"];
  const rule = mean("longer_wins_accuracy", "share", valued(pairs, longer));
  if (own === undefined) return [rule];
  const decided = own.map(preference);
  const right = (name: string, of: (i: number) => boolean) =>
    mean(
      name,
      "share",
      valued(
        pairs,
        decided.map((value, i) => (of(i) ? value : null)),
      ),
    );
  const changed = PROMPTS.slice(1).flatMap((change) => changedMeasures(pairs, decided, change, scores[change]));
  return [
    rule,
    right("accuracy", () => true),
    right("accuracy_longer_better", (i) => longer[i] === 1),
    right("accuracy_shorter_better", (i) => longer[i] === 0),
    balanced(pairs, decided, longer),
    mean(
      "longer_preferred",
      "share",
      valued(
        pairs,
        decided.map((value, i) => agreement(value, longer[i]!)),
      ),
    ),
    ...correlations(pairs, own),
    ...changed,
  ];
}

/** Of a prompt taken away: accuracy, and whether the decision stays. Of a demand for length: whether it is obeyed. */
function changedMeasures(
  pairs: readonly LengthPair[],
  decided: readonly (number | null)[],
  change: PromptChange,
  scores: readonly PairScore[] | undefined,
): readonly Measure[] {
  if (scores === undefined) return [];
  const now = scores.map(preference);
  const condition = `prompt ${change}`;
  if (change === "emptied" || change === "shuffled") {
    const same = now.map((value, i) => agreement(value, decided[i]!));
    return [
      mean("accuracy", "share", valued(pairs, now), condition),
      mean("same_decision", "share", valued(pairs, same), condition),
    ];
  }
  const obeyed = now.map((value, i) => {
    const { chosen, rejected } = pairs[i]!;
    const difference = wordsOf(chosen.text) - wordsOf(rejected.text);
    if (value === null || difference === 0) return null;
    const chosenObeys = change === "at most" ? difference < 0 : difference > 0;
    return chosenObeys ? value : 1 - value;
  });
  return [mean("length_instruction_accuracy", "share", valued(pairs, obeyed), `${change} N words`)];
}

/** The mean of both accuracies: as many pairs whose better completion is longer as shorter (ours). */
function balanced(
  pairs: readonly LengthPair[],
  decided: readonly (number | null)[],
  longer: readonly number[],
): Measure {
  const rows = decided.flatMap((value, i) => (value === null || longer[i] === 0.5 ? [] : [{ i, value }]));
  const subjects = rows.map(({ i }) => pairs[i]!.subject);
  return measured("accuracy_balanced", "share", subjects, (times) => {
    const sums = { 0: [0, 0] as [number, number], 1: [0, 0] as [number, number] };
    for (const [row, { i, value }] of rows.entries()) {
      const sum = sums[longer[i] as 0 | 1];
      sum[0] += times[row]! * value;
      sum[1] += times[row]!;
    }
    return (sums[0][0] / sums[0][1] + sums[1][0] / sums[1][1]) / 2;
  });
}

/** Of all completions: score with length, as they are and within the better and within the worse ones. */
function correlations(pairs: readonly LengthPair[], scores: readonly PairScore[]): readonly Measure[] {
  const rows = pairs.flatMap(({ subject, chosen, rejected }, i) => {
    const score = scores[i];
    if (score == null) return [];
    const both = [chosen, rejected] as const;
    return both.map(({ length }, side) => ({ subject, length, score: score[side]!, side }));
  });
  const subjects = rows.map(({ subject }) => subject);
  const columns = [rows.map(({ score }) => score), rows.map(({ length }) => length)] as const;
  const sides = rows.map(({ side }) => side);
  return [
    measured("score_length_spearman", "correlation", subjects, spearman(...columns, null)),
    measured("score_length_spearman_given_better", "correlation", subjects, spearman(...columns, sides)),
  ];
}

/** 1 where the first is larger, 0 where the second is, 0.5 for a tie. */
function preference(scores: PairScore): number | null {
  if (scores === null) return null;
  const [a, b] = scores;
  return a > b ? 1 : a < b ? 0 : 0.5;
}

/** The chance that two decisions agree, with ties decided by a coin; null without one of them. */
function agreement(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a * b + (1 - a) * (1 - b);
}

function valued(pairs: readonly LengthPair[], values: readonly (number | null)[]): readonly Value[] {
  return values.flatMap((value, i) => (value === null ? [] : [{ subject: pairs[i]!.subject, value }]));
}

/** A permutation in which nobody keeps his place, if there are two or more. */
function shuffled(n: number, seed: number): readonly number[] {
  const order = permutation(randomKey(seed, "length audit"), n);
  const next = new Array<number>(n);
  for (let i = 0; i < n; i++) next[order[i]!] = order[(i + 1) % n]!;
  return next;
}

/** Words between spaces. */
export function wordsOf(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}
