/**
 * How densely reasoning restates what is known: distinct facts of the question and of the image per 100 words. Our reading of
 * Clinical-R1's CECD, which is known by name only.
 */
import { checkClaims, claimText } from "../../answers/claims/check.ts";
import { readFacts } from "../../answers/claims/facts.ts";
import { findConcepts } from "../../answers/concepts/find.ts";
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import type { Example } from "../../core/records.ts";

/** Null for reasoning without a word. */
export function restatedFacts(example: Example, rationale: string, vocabulary: Vocabulary): number | null {
  const words = rationale.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
  if (words === 0) return null;
  const facts = readFacts(example.facts);
  const checked = facts === null ? [] : checkClaims(rationale, facts, vocabulary);
  const shown = checked.filter(({ verdict }) => verdict === true).map(({ claim }) => claim);
  const seen = new Set(shown.map(({ concept }) => concept));
  const asked = conceptsOf([example.question, ...example.choices].join(". "), vocabulary);
  const said = conceptsOf(rationale, vocabulary);
  const restated = [...asked].filter((concept) => said.has(concept) && !seen.has(concept));
  return (100 * (restated.length + new Set(shown.map(claimText)).size)) / words;
}

function conceptsOf(text: string, vocabulary: Vocabulary): ReadonlySet<string> {
  return new Set(findConcepts(text, vocabulary).map(({ concept }) => concept));
}
