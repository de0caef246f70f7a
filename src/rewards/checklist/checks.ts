/** The ways to check a rule, by name: a new one is a line in `checks` and its schema in rules.ts. */
import { type CheckedClaim, checkClaims } from "../../answers/claims/check.ts";
import { type ImageFacts, readFacts } from "../../answers/claims/facts.ts";
import { type ClaimKind, parseClaims } from "../../answers/claims/parse.ts";
import { sentences } from "../../answers/concepts/tokens.ts";
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import { parseRationale } from "../../answers/rationale.ts";
import { type AnswerStyle, hasContent } from "../../answers/tags.ts";
import type { Example } from "../../core/records.ts";
import type { Rule, RuleOf } from "./rules.ts";

/** A completion as rules see it: the sentences of its reasoning, and what follows as one more part. */
export interface Reading {
  readonly parts: readonly Part[];
  /** Null: the example has no facts. */
  readonly facts: ImageFacts | null;
  /** Verdicts of the judge by rule; null where it gave none. */
  readonly verdicts: ReadonlyMap<string, 0 | 1 | null>;
}

interface Part {
  readonly text: string;
  /** UTF-16 offset in the completion behind its last character. */
  readonly end: number;
  readonly claims: readonly CheckedClaim[];
}

interface Check<R extends Rule> {
  /** Whether the rule can be kept or broken here; one that cannot counts nowhere. */
  applies(rule: R, reading: Reading): boolean;
  /** Whether a part has what the rule is about: what reaches a goal, or breaks a constraint. */
  meets(rule: R, part: Part, reading: Reading): boolean;
}

export const checks: { readonly [C in Rule["check"]]: Check<RuleOf<C>> } = {
  pattern: {
    applies: () => true,
    meets: ({ pattern }, { text }) => new RegExp(pattern, "iu").test(text),
  },
  claim: {
    applies: () => true,
    meets: (rule, { claims }) => claims.some(({ claim }) => isAbout(rule, claim)),
  },
  fact: {
    applies: ({ kind, claims }, { facts }) => facts !== null && (kind === "constraint" || canBeTrue(claims, facts)),
    meets: (rule, { claims }) =>
      claims.some(({ claim, verdict }) => verdict === (rule.kind === "goal") && isAbout(rule, claim)),
  },
  judge: {
    applies: ({ id }, { verdicts }) => (verdicts.get(id) ?? null) !== null,
    // A verdict is of the whole, so its last part carries it.
    meets: ({ id, kind }, part, { parts, verdicts }) =>
      part === parts.at(-1) && verdicts.get(id) === (kind === "goal" ? 1 : 0),
  },
};

/** Reads a completion; without facts the verdicts of its claims are null. */
export function readParts(
  text: string,
  example: Example,
  o: { readonly style: AnswerStyle; readonly vocabulary: Vocabulary },
): Omit<Reading, "verdicts"> {
  const facts = readFacts(example.facts);
  const rationale = parseRationale(text, o.style);
  const reasoning = rationale?.text ?? "";
  const from = rationale?.start ?? 0;
  const said =
    facts === null
      ? parseClaims(reasoning, o.vocabulary).map((claim): CheckedClaim => ({ claim, verdict: null }))
      : checkClaims(reasoning, facts, o.vocabulary);
  const inOrder = [...said].sort((a, b) => a.claim.start - b.claim.start);
  let [start, next] = [0, 0];
  const parts = sentences(reasoning).map((tokens): Part => {
    const end = behindMarks(reasoning, tokens.at(-1)!.end);
    const first = next;
    while (next < inOrder.length && inOrder[next]!.claim.start < end) next++;
    const part = { text: reasoning.slice(start, end), end: from + end, claims: inOrder.slice(first, next) };
    start = end;
    return part;
  });
  const rest = text.slice(from + reasoning.length);
  const answer = hasContent(rest) ? [{ text: rest, end: text.length, claims: [] }] : [];
  return { parts: [...parts, ...answer], facts };
}

/** Marks that close a sentence belong to it. */
function behindMarks(text: string, end: number): number {
  return end + /^[^\s\p{L}\p{N}<]*/u.exec(text.slice(end))![0].length;
}

function isAbout(
  { claims, concepts }: RuleOf<"claim" | "fact">,
  { kind, concept }: { readonly kind: ClaimKind; readonly concept: string },
): boolean {
  return (claims.length === 0 || claims.includes(kind)) && (concepts.length === 0 || concepts.includes(concept));
}

/** Whether the facts leave any claim of these kinds to be made: of an image without findings no side can be told. */
function canBeTrue(claims: readonly ClaimKind[], { plane, findings }: ImageFacts): boolean {
  return claims.some((kind) => {
    if (kind === "finding" || kind === "count") return findings.length > 0;
    if (kind === "side") return findings.some(({ side }) => side !== undefined);
    if (kind === "location") return findings.some(({ place }) => place !== undefined);
    return kind === "plane" ? plane !== undefined : true;
  });
}
