/** Decides whether claims are true: by the image's facts, else by the reference rationale. */
import { claimText, verdictOf } from "../../answers/claims/check.ts";
import { readFacts } from "../../answers/claims/facts.ts";
import { type Claim, parseClaims } from "../../answers/claims/parse.ts";
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import type { Example } from "../../core/records.ts";

/** True, false, or null if undecided; null instead of a function for an example without facts or rationale. */
export function truthOf(
  { facts, rationale = "" }: Pick<Example, "facts" | "rationale">,
  vocabulary: Vocabulary,
): ((claim: Claim) => boolean | null) | null {
  const known = readFacts(facts);
  if (known !== null) return (claim) => verdictOf(claim, known);
  const stated = parseClaims(rationale, vocabulary);
  if (stated.length === 0) return null;
  const said = new Set(stated.map(claimText));
  return (claim) => (said.has(claimText(claim)) ? true : stated.some((one) => isOpposite(one, claim)) ? false : null);
}

/** One claim asserts what the other denies, or they place one thing on different sides. */
function isOpposite(a: Claim, b: Claim): boolean {
  if (a.concept !== b.concept) return false;
  if (a.kind === b.kind && (a.kind === "side" || a.kind === "size")) return a.side !== b.side;
  const sidesAgree = a.side === undefined || b.side === undefined || a.side === b.side;
  return (a.kind === "negation") !== (b.kind === "negation") && sidesAgree;
}
