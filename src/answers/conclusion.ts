/**
 * What a rationale concludes, against the answer given: true, false, or null where it comes to no conclusion that can be
 * read. docs/probes/consistency.md defines it; nothing is guessed.
 */
import { answerKey } from "./answer-key.ts";
import { chosenOption } from "./choice.ts";
import { type Claim, parseClaims } from "./claims/parse.ts";
import { polarity, referencePolarity } from "./closed.ts";
import { findConcepts, type Mention } from "./concepts/find.ts";
import { sentences } from "./concepts/tokens.ts";
import type { Vocabulary } from "./concepts/vocabulary.ts";
import type { Question } from "./match.ts";
import { namedSides } from "./mirror.ts";
import { normalise } from "./normalise.ts";
import { lastStated } from "./parse.ts";

/**
 * An answer that the rationale states ("the answer is …") is its conclusion. Else, of a choice question the option named
 * by the last sentence that names exactly one and does not deny it; of a yes/no question what the claims say of the claims
 * that the question makes, else a last sentence of yes or no; of an open question the last side, number, or asserted
 * concept of the answer's kind, else a last sentence that holds the answer's words.
 */
export function followsFrom(
  question: Question & { readonly question: string },
  rationale: string,
  answer: string,
  vocabulary: Vocabulary,
): boolean | null {
  const given = answerKey(question, answer);
  if (given === null) return null;
  const stated = lastStated(rationale);
  if (stated !== null) {
    const key = answerKey(question, stated.text);
    if (key !== null) return key === given || (question.answerType === "open" && holds(stated.text, given));
  }
  const parts = sentences(rationale).map((tokens) => rationale.slice(tokens[0]!.start, tokens.at(-1)!.end));
  if (question.answerType === "choice") return chooses(question, parts, given);
  const said = parseClaims(rationale, vocabulary);
  const asked = parseClaims(question.question.replace(/\?\s*$/, "."), vocabulary);
  if (question.answerType === "closed" && referencePolarity(question.answer) !== null) {
    const concluded = bearOut(asked, said) ?? plainVerdict(parts.at(-1) ?? "");
    return concluded === null ? null : concluded === given;
  }
  return names(answer, given, { rationale, parts, said, asked, vocabulary });
}

function chooses({ choices }: Question, parts: readonly string[], given: string): boolean | null {
  const chosen = parts.map((sentence) => chosenOption(sentence, choices)).findLast((option) => option !== null);
  return chosen == null ? null : choices[chosen.index]! === given;
}

/** Yes where every claim of the question is among those of the rationale, no where one is contradicted. */
function bearOut(asked: readonly Claim[], said: readonly Claim[]): "yes" | "no" | null {
  const verdicts = asked.map((claim) => bearsOut(claim, said));
  if (verdicts.includes(false)) return "no";
  return verdicts.length > 0 && !verdicts.includes(null) ? "yes" : null;
}

function bearsOut(asked: Claim, said: readonly Claim[]): boolean | null {
  const { kind, concept, side } = asked;
  const same = said.filter((claim) => claim.kind === kind && claim.concept === concept);
  const denial = said.findLast((c) => c.kind === "negation" && c.concept === concept && sidesMeet(c, asked));
  switch (kind) {
    case "modality":
    case "plane": {
      if (denial !== undefined) return false;
      const last = said.findLast((claim) => claim.kind === kind);
      return last === undefined ? null : last.concept === concept || same.length > 0;
    }
    case "organ":
      return same.length > 0 ? true : null;
    case "negation": {
      const assertion = said.findLast((c) => (c.kind === "finding" && c.concept === concept) || isAny(c, concept));
      if (assertion !== undefined) return false;
      return denial !== undefined ? true : null;
    }
    case "finding": {
      const last = said.findLast((c) => c.concept === concept && (c.kind === "finding" || c === denial));
      return last === undefined ? null : last.kind === "finding";
    }
    default: {
      if (denial !== undefined) return false;
      if (same.length === 0) return null;
      if (kind === "side" || kind === "size") return same.some((claim) => claim.side === side);
      if (kind === "count") return same.at(-1)!.count === asked.count;
      return same.some((claim) => claim.place === asked.place && sidesMeet(claim, asked));
    }
  }
}

/** Any finding contradicts that there is no abnormality. */
function isAny({ kind }: Claim, concept: string): boolean {
  return concept === "abnormality" && kind === "finding";
}

function sidesMeet(a: Claim, b: Claim): boolean {
  return a.side === undefined || b.side === undefined || a.side === b.side;
}

/** Yes or no, of a sentence that says little else or that draws a conclusion. */
function plainVerdict(sentence: string): "yes" | "no" | null {
  const concludes = /^(?:so|therefore|thus|hence|consequently|in conclusion)\b/i.test(sentence);
  return concludes || sentence.split(/\s+/).length <= 3 ? polarity(sentence) : null;
}

interface Reading {
  readonly rationale: string;
  readonly parts: readonly string[];
  readonly said: readonly Claim[];
  readonly asked: readonly Claim[];
  readonly vocabulary: Vocabulary;
}

function names(answer: string, given: string, reading: Reading): boolean | null {
  const { rationale, parts, said, asked, vocabulary } = reading;
  const mentions = findConcepts(answer, vocabulary);
  const concepts = mentions.filter(({ concept }) => concept !== "left" && concept !== "right");
  const sides = namedSides(answer);
  if (concepts.length === 0 && sides.size > 0) {
    const about = new Set(asked.map(({ concept }) => concept));
    const own = said.filter(({ concept, side }) => side !== undefined && (about.size === 0 || about.has(concept)));
    const size = own.findLast(({ kind }) => kind === "size");
    const found = new Set(
      (size === undefined ? own.filter(({ kind }) => kind === "side") : [size]).map((c) => c.side!),
    );
    if (found.size > 0) return found.size === sides.size && [...sides].every((side) => found.has(side));
    const last = parts.findLast((sentence) => namedSides(sentence).size > 0);
    return last === undefined ? null : sameSides(namedSides(last), sides);
  }
  if (/^\d+$/.test(given)) {
    const counted = said.findLast(({ kind, count }) => kind === "count" && typeof count === "number");
    if (counted !== undefined) return String(counted.count) === given;
    const numbers = normalise(rationale).match(/\b\d+\b/g);
    return numbers === null ? null : numbers.at(-1) === given;
  }
  if (concepts.length > 0) {
    const categories = new Map(vocabulary.concepts.map(({ id, category }) => [id, category] as const));
    const kinds = new Set(concepts.map((mention) => kindOf(mention, categories)));
    for (const sentence of [...parts].reverse()) {
      const asserted = findConcepts(sentence, vocabulary).filter(
        (m) => m.assertion === "present" && kinds.has(kindOf(m, categories)),
      );
      if (asserted.length === 0) continue;
      return concepts.every((one) => asserted.some((m) => m.concept === one.concept && sidesAgree(m, one)));
    }
    return null;
  }
  const last = parts.at(-1);
  return last !== undefined && holds(last, given) ? true : null;
}

/** Findings and diseases are one kind; planes are told from modalities. */
function kindOf({ concept }: Mention, categories: ReadonlyMap<string, string>): string {
  const category = categories.get(concept) ?? "side";
  if (category === "disease") return "finding";
  return category === "modality" && concept.endsWith(" plane") ? "plane" : category;
}

function sidesAgree(a: Mention, b: Mention): boolean {
  return a.sides.length === 0 || b.sides.length === 0 || a.sides.join() === b.sides.join();
}

function sameSides(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((side) => b.has(side));
}

/** The normalised words stand in the text, one after the other. */
function holds(text: string, given: string): boolean {
  return ` ${normalise(text)} `.includes(` ${given} `);
}
