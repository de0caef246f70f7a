/** The medical concepts of a text: where they stand, on which side, and whether the text asserts, denies or doubts them. */
import { type Assertion, assertions } from "./negation.ts";
import { bindSides, type Side, type Span } from "./sides.ts";
import { sentences, singular, type Token } from "./tokens.ts";
import { longestEntry, type Vocabulary } from "./vocabulary.ts";

export interface Mention {
  /** The concept's id; "left" or "right" for a side that belongs to no concept ("it is on the left"). */
  readonly concept: string;
  /** Sides it is bound to, in alphabetical order; empty when none is said. */
  readonly sides: readonly Side[];
  readonly assertion: Assertion;
  /** UTF-16 offsets in the text. */
  readonly start: number;
  readonly end: number;
}

/** All mentions in the order of the text; linear in its length. */
export function findConcepts(text: string, vocabulary: Vocabulary): readonly Mention[] {
  return sentences(text).flatMap((sentence) => sentenceConcepts(expand(sentence, vocabulary), vocabulary));
}

function sentenceConcepts(tokens: readonly Token[], vocabulary: Vocabulary): readonly Mention[] {
  const spans = findTerms(tokens, vocabulary);
  const alone = bindSides(tokens, spans);
  if (spans.length === 0 && alone.length === 0) return [];
  const isConcept = new Array<boolean>(tokens.length).fill(false);
  for (const { from, to } of spans) isConcept.fill(true, from, to);
  const states = assertions(tokens, isConcept, vocabulary);
  const place = (from: number, to: number) => ({ start: tokens[from]!.start, end: tokens[to - 1]!.end });
  const found = spans.map(({ concept, from, to, sides }): Mention => {
    return { concept: concept.id, sides: [...sides].sort(), assertion: states[to - 1]!, ...place(from, to) };
  });
  const sides = alone.flatMap(({ sides, from, to }) =>
    sides.map((side): Mention => ({ concept: side, sides: [], assertion: states[from]!, ...place(from, to) })),
  );
  return [...found, ...sides].sort((a, b) => a.start - b.start);
}

/** The longest terms from left to right, without overlap; none goes over a comma. */
function findTerms(tokens: readonly Token[], { terms, skipped }: Vocabulary): readonly Span[] {
  const stems = tokens.map(({ stem }) => stem);
  const canSkip = (i: number) => skipped.has(stems[i]!) || stems[i] === "left" || stems[i] === "right";
  const spans: Span[] = [];
  let end = 0;
  for (let i = 0; i < tokens.length; i++) {
    if (end <= i) end = nextComma(tokens, i);
    const entry = longestEntry(terms, stems, i, { end, canSkip });
    if (entry === null) continue;
    spans.push({ concept: entry.value, from: i, to: entry.end, sides: new Set() });
    i = entry.end - 1;
  }
  return spans;
}

function nextComma(tokens: readonly Token[], from: number): number {
  let i = from + 1;
  while (i < tokens.length && !tokens[i]!.afterComma) i++;
  return i;
}

/**
 * The text with every term written as its concept's id ("enlarged heart" as "cardiomegaly"), all else as it was. Nothing
 * stands between a term's words here, so that no side is lost.
 */
export function withOneName(text: string, vocabulary: Vocabulary): string {
  let result = "";
  let done = 0;
  for (const sentence of sentences(text)) {
    const tokens = sentence.flatMap((token) => expandToken(token, vocabulary));
    const stems = tokens.map(({ stem }) => stem);
    let end = 0;
    for (let i = 0; i < tokens.length; i++) {
      if (end <= i) end = nextComma(tokens, i);
      const entry = longestEntry(vocabulary.terms, stems, i, { end });
      const last = entry === null ? i : entry.end - 1;
      const { start } = tokens[i]!;
      const name = entry?.value.id ?? (tokens[i]!.expanded ? tokens[i]!.word : null);
      if (name !== null) {
        result += `${text.slice(done, Math.max(done, start))}${start < done ? " " : ""}${name}`;
        done = Math.max(done, tokens[last]!.end);
      }
      i = last;
    }
  }
  return result + text.slice(done);
}

/** Abbreviations written out; all words of one keep its place in the text. */
function expand(tokens: readonly Token[], vocabulary: Vocabulary): readonly Token[] {
  return tokens.flatMap((token) => expandToken(token, vocabulary));
}

function expandToken(token: Token, { expansions }: Vocabulary): readonly (Token & { readonly expanded?: true })[] {
  const words = expansions.get(token.raw) ?? expansions.get(token.word);
  if (words === undefined) return [token];
  return words.map((word, i) => {
    const afterComma = token.afterComma && i === 0;
    return { ...token, word, stem: singular(word), raw: word, afterComma, expanded: true };
  });
}
