/** Judges an answer against an example's reference, by the example's answer type. */
import type { Example } from "../core/records.ts";
import { chosenOption, rightOption } from "./choice.ts";
import { polarity, referencePolarity } from "./closed.ts";
import { withOneName } from "./concepts/find.ts";
import type { Vocabulary } from "./concepts/vocabulary.ts";
import { chosenOptions, optionsF1, rightOptions } from "./multi.ts";
import { normalise } from "./normalise.ts";
import { meetsTarget, numberOf, targetOf } from "./number.ts";
import { containsReference, exactMatch, tokenF1 } from "./open.ts";

export type OpenMatch = "exact" | "f1" | "contains";

export interface MatchMode {
  /** How open answers are scored; `f1` gives part of the point, its `correct` still asks for an exact match. */
  readonly open?: OpenMatch;
  /** Half the point for the right option with any text besides (MedVLM-R1). */
  readonly graded?: boolean;
  /** Open answers: terms of one concept count as the same words ("enlarged heart", "cardiomegaly"). */
  readonly synonyms?: Vocabulary | undefined;
}

export interface AnswerMatch {
  readonly correct: boolean;
  /** In [0, 1]. */
  readonly score: number;
  /** No answer, or one that names neither yes nor no, no single option, no number, no word. Never guessed: it scores 0. */
  readonly parseFailure: boolean;
}

/** What of an example an answer is compared with. */
export type Question = Pick<Example, "answer" | "answerType" | "choices" | "answerIndex" | "target">;

/**
 * Compares an answer (null: the completion gave none) with the example's reference. Closed questions whose reference is
 * neither yes nor no ("left or right?") are compared as open questions, exactly. Several options must be all the right
 * ones and no other; with `f1` a part of them scores. A number is right within its target's tolerance.
 */
export function matchAnswer(example: Question, answer: string | null, mode: MatchMode = {}): AnswerMatch {
  if (answer === null) return FAILED;
  if (example.answerType === "choice") return matchChoice(example, answer, mode.graded ?? false);
  if (example.answerType === "multi") return matchOptions(example, answer, mode.open === "f1");
  if (example.answerType === "numeric") return matchNumber(example, answer);
  const wanted = example.answerType === "closed" ? referencePolarity(example.answer) : null;
  if (wanted !== null) {
    const given = polarity(answer);
    return given === null ? FAILED : judged(given === wanted);
  }
  const open = example.answerType === "closed" ? "exact" : (mode.open ?? "exact");
  const plain = matchOpen(example.answer, answer, open);
  if (mode.synonyms === undefined || plain.correct) return plain;
  const resolved = matchOpen(withOneName(example.answer, mode.synonyms), withOneName(answer, mode.synonyms), open);
  return resolved.score > plain.score ? resolved : plain;
}

const FAILED: AnswerMatch = { correct: false, score: 0, parseFailure: true };

function matchChoice(example: Question, answer: string, graded: boolean): AnswerMatch {
  const chosen = chosenOption(answer, example.choices);
  if (chosen === null) return FAILED;
  const correct = chosen.index === rightOption(example);
  return judged(correct, correct && graded && !chosen.bare ? 0.5 : Number(correct));
}

function matchOptions(example: Question, answer: string, graded: boolean): AnswerMatch {
  const chosen = chosenOptions(answer, example.choices);
  if (chosen === null) return FAILED;
  const f1 = optionsF1(chosen, rightOptions(example));
  return judged(f1 === 1, graded ? f1 : Number(f1 === 1));
}

function matchNumber(example: Question, answer: string): AnswerMatch {
  const target = targetOf(example);
  const given = numberOf(answer, target?.unit);
  return given === null ? FAILED : judged(target !== null && meetsTarget(given, target));
}

function matchOpen(reference: string, answer: string, open: OpenMatch): AnswerMatch {
  if (normalise(answer) === "") return FAILED;
  if (open === "contains") return judged(containsReference(answer, reference));
  const correct = exactMatch(answer, reference);
  return judged(correct, open === "f1" && !correct ? tokenF1(answer, reference) : Number(correct));
}

function judged(correct: boolean, score = Number(correct)): AnswerMatch {
  return { correct, score, parseFailure: false };
}
