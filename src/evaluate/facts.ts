/**
 * Faithfulness to the image: checks claims of completions against the known facts of their images, over a whole
 * evaluation.
 */
import { type CheckedClaim, checkClaims, claimText, type FactScore, scoreFacts } from "../answers/claims/check.ts";
import { readFacts } from "../answers/claims/facts.ts";
import type { Vocabulary } from "../answers/concepts/vocabulary.ts";
import { parseRationale } from "../answers/rationale.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import type { Example } from "../core/records.ts";
import { bootstrapMean, type Interval } from "./bootstrap.ts";

export interface FactSummary {
  /** Completions to questions about images with facts. */
  readonly completions: number;
  /**
   * Distinct claims per completion, summed over completions; those true, and those false. The facts do not decide the
   * rest.
   */
  readonly claims: number;
  readonly right: number;
  readonly wrong: number;
  /** Mean over completions of the fraction of true claims among those the facts decide; null if there are none. */
  readonly precision: Interval | null;
  /** Mean fraction of the image's facts that the reasoning states; 0 for a completion without reasoning. */
  readonly recall: Interval | null;
  /** Mean fraction of asserted findings that are absent, over completions that assert any; null if there are none. */
  readonly hallucination_rate: Interval | null;
}

/** Summarises one score per example, in the same order, null where an example has no facts; null if none has. */
export function summariseScores(
  examples: readonly Example[],
  scores: readonly (FactScore | null)[],
): FactSummary | null {
  const scored = examples.flatMap((example, i) => {
    const score = scores[i]!;
    return score === null ? [] : [{ subject: example.subjectId, score }];
  });
  if (scored.length === 0) return null;
  const total = (count: "claims" | "right" | "wrong") => scored.reduce((sum, { score }) => sum + score[count], 0);
  const mean = (share: "precision" | "recall" | "hallucination") => {
    const known = scored.flatMap(({ subject, score }) =>
      score[share] === null ? [] : [[score[share], subject] as const],
    );
    return bootstrapMean(
      known.map(([value]) => value),
      known.map(([, subject]) => subject),
    );
  };
  return {
    completions: scored.length,
    claims: total("claims"),
    right: total("right"),
    wrong: total("wrong"),
    precision: mean("precision"),
    recall: mean("recall"),
    hallucination_rate: mean("hallucination"),
  };
}

/** Scores a completion's reasoning against the facts of its example's image; null for an example without facts. */
export function factScore(
  example: Example,
  text: string,
  o: { readonly style: AnswerStyle; readonly vocabulary: Vocabulary },
): FactScore | null {
  const facts = readFacts(example.facts);
  if (facts === null) return null;
  const rationale = parseRationale(text, o.style);
  return scoreFacts(rationale === null ? [] : distinct(checkClaims(rationale.text, facts, o.vocabulary)), facts);
}

/** Removes repeated claims. */
function distinct(checked: readonly CheckedClaim[]): readonly CheckedClaim[] {
  return [...new Map(checked.map((one) => [claimText(one.claim), one] as const)).values()];
}
