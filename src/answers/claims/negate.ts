/** Turns a true claim of a text into a false one by changing the words of its sentence, and nothing else. */
import { sentences } from "../concepts/tokens.ts";
import type { Vocabulary } from "../concepts/vocabulary.ts";
import { swapSides } from "../mirror.ts";
import { claimText } from "./check.ts";
import { type Claim, parseClaims } from "./parse.ts";

export interface NegatedText {
  readonly text: string;
  /** The claim that no longer holds. */
  readonly claim: Claim;
}

/**
 * The text with one true claim negated: sides are exchanged in the claim's sentence, a denial loses its negation, anything
 * else gets one. Claims about `about` (concepts of the question) come first, then later ones before earlier ones. A change
 * counts only if the new text, read again, no longer makes the claim and makes one that is false. Null where none does.
 */
export function negateClaim(
  text: string,
  isTrue: (claim: Claim) => boolean | null,
  vocabulary: Vocabulary,
  about: ReadonlySet<string> = new Set(),
): NegatedText | null {
  const claims = parseClaims(text, vocabulary);
  const candidates = claims.filter((claim) => isTrue(claim) === true).reverse();
  const ordered = [
    ...candidates.filter(({ concept }) => about.has(concept)),
    ...candidates.filter(({ concept }) => !about.has(concept)),
  ];
  const spans = sentences(text).map((tokens) => ({ start: tokens[0]!.start, end: tokens.at(-1)!.end }));
  for (const claim of ordered) {
    const span = spans.find(({ start, end }) => claim.start >= start && claim.end <= end);
    if (span === undefined) continue;
    const sentence = text.slice(span.start, span.end);
    const changed = claim.side === undefined ? negated(sentence, claim, span.start) : swapSides(sentence);
    if (changed === null || changed === sentence) continue;
    const whole = text.slice(0, span.start) + changed + text.slice(span.end);
    const after = parseClaims(whole, vocabulary);
    const isGone = !after.some((other) => claimText(other) === claimText(claim));
    if (isGone && after.some((other) => isTrue(other) === false)) return { text: whole, claim };
  }
  return null;
}

/** The sentence with its denial taken away, or with a denial of what the claim is about; `offset` is where it begins. */
function negated(sentence: string, { kind, start, end }: Claim, offset: number): string | null {
  if (kind === "negation") {
    const rule = AFFIRMATIONS.find(([pattern]) => pattern.test(sentence));
    return rule === undefined ? null : capitalised(sentence.replace(rule[0], rule[1]), sentence);
  }
  if (IS.test(sentence)) return sentence.replace(IS, "$1 not");
  const named = sentence.slice(start - offset, end - offset);
  const rest = sentence.slice(start - offset);
  if (VERB.test(named)) return sentence.slice(0, start - offset) + rest.replace(VERB, "$1 not");
  if (kind !== "finding" && kind !== "count") return null; // "no upper zone" would deny the place, "no film is dark" nothing
  const before = sentence.slice(0, start - offset);
  const determiner =
    /\b(?:an?|the|some|one|two|three|four|five|six|several|multiple|many|\d+)\s+((?:[\p{L}-]+\s+){0,2})$/iu;
  const found = determiner.exec(before);
  if (found === null) return capitalised(`${before}no ${rest}`, sentence);
  return capitalised(`${before.slice(0, found.index)}no ${found[1]}${rest}`, sentence);
}

/** Of a finding that a clause names: "the heart is enlarged". */
const VERB = /\b(is|are|was|were)\b/i;
/** What the image is: "This is an axial CT" is denied as a whole. */
const IS = /^((?:this|the image|it)\s+is)\b(?! not)/i;
const AFFIRMATIONS: readonly (readonly [RegExp, string])[] = [
  [/\bthere (is|are) no evidence of\b/i, "there $1 evidence of"],
  [/\bno evidence of\b/i, "evidence of"],
  [/\bwithout\b/i, "with"],
  [/\b(is|are|was|were|does|do|has|have) not\b/i, "$1"],
  [/\b(is|are|was|were) absent\b/i, "$1 present"],
  [/\bnot\s+/i, ""],
  [/\bno\b/i, "a"],
];

function capitalised(changed: string, before: string): string {
  return /^\p{Lu}/u.test(before) ? changed.charAt(0).toUpperCase() + changed.slice(1) : changed;
}
