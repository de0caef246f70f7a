/** Scores concept matching on hand-checked pairs: precision and recall over asserted concepts, and right pairs. */
import { findConcepts } from "../../src/answers/concepts/find.ts";
import { assertedConcepts, compareConcepts } from "../../src/answers/concepts/match.ts";
import type { Vocabulary } from "../../src/answers/concepts/vocabulary.ts";

/** A sentence, what it asserts, and how it compares with a reference. */
export interface ConceptCase {
  readonly half: "tuning" | "held_out";
  readonly topic: string;
  readonly text: string;
  readonly asserted: readonly string[];
  readonly reference: string;
  /** The F1 is 1, between, or 0 (or there is none: neither text asserts anything). */
  readonly match: "full" | "part" | "none";
}

export interface ConceptAccuracy {
  readonly precision: number;
  readonly recall: number;
  readonly pairs: number;
  readonly matches: number;
  /** A line for each case that fails. */
  readonly wrong: readonly string[];
}

export function conceptAccuracy(cases: readonly ConceptCase[], vocabulary: Vocabulary): ConceptAccuracy {
  let right = 0;
  let found = 0;
  let wanted = 0;
  let matches = 0;
  const wrong: string[] = [];
  for (const { text, asserted, reference, match } of cases) {
    const given = assertedConcepts(findConcepts(text, vocabulary));
    const common = asserted.filter((concept) => given.has(concept)).length;
    right += common;
    found += given.size;
    wanted += asserted.length;
    const f1 = compareConcepts(text, reference, vocabulary) ?? 0;
    const came = f1 === 1 ? "full" : f1 > 0 ? "part" : "none";
    if (came === match) matches++;
    if (came === match && common === given.size && common === asserted.length) continue;
    const other = [...assertedConcepts(findConcepts(reference, vocabulary))].join(", ");
    wrong.push(
      `${text} -> [${[...given].join(", ")}], not [${asserted.join(", ")}]; ${came}, not ${match} with [${other}]`,
    );
  }
  return { precision: right / found, recall: right / wanted, pairs: cases.length, matches, wrong };
}
