/**
 * Which concept a "left", "right" or "bilateral" belongs to, within a sentence: to what it stands before ("left lower lobe
 * pneumonia"), to what lies there ("a mass in the left kidney"), or to what a sided organ shows ("the left lung shows …").
 */
import { VERBS } from "./negation.ts";
import type { Token } from "./tokens.ts";
import type { Concept } from "./vocabulary.ts";

export type Side = "left" | "right";

/** A found term: words `from` to `to` (exclusive) of its sentence. */
export interface Span {
  readonly concept: Concept;
  readonly from: number;
  readonly to: number;
  readonly sides: Set<Side>;
}

/** Words that name sides as one: "left", "left and right", "bilateral". */
export interface SideWords {
  readonly sides: readonly Side[];
  readonly from: number;
  readonly to: number;
}

/** Gives the spans their sides; returns the side words that belong to no span but stand for themselves ("on the left"). */
export function bindSides(tokens: readonly Token[], spans: readonly Span[]): readonly SideWords[] {
  const at = spanAtWord(tokens.length, spans);
  const groups = sideGroups(tokens, at, spans);
  const alone: SideWords[] = [];
  for (const group of groups) {
    const inside = at[group.from];
    if (inside !== undefined) give(spans[inside]!, group.sides);
    const forward = inside ?? bindForward(tokens, spans, at, group);
    const isPlace = isLocated(tokens, group);
    const organ = forward === null || spans[forward]!.concept.category === "organ";
    const back = organ && isPlace !== null ? bindBack(tokens, spans, at, group, isPlace) : false;
    if (forward === null && !back && (isPlace !== null || isBare(tokens))) alone.push(group);
  }
  inherit(tokens, spans);
  return alone;
}

/** For each word the index of its span. */
function spanAtWord(length: number, spans: readonly Span[]): readonly (number | undefined)[] {
  const at: (number | undefined)[] = new Array(length);
  for (const [i, { from, to }] of spans.entries()) at.fill(i, from, to);
  return at;
}

function sideGroups(
  tokens: readonly Token[],
  at: readonly (number | undefined)[],
  spans: readonly Span[],
): readonly SideWords[] {
  const groups: SideWords[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const first = sidesOf(tokens, i, at, spans);
    if (first === null) continue;
    const joined = /^(?:and|or)$/.test(tokens[i + 1]?.word ?? "") ? sidesOf(tokens, i + 2, at, spans) : null;
    const both = joined !== null && at[i] === undefined ? [...first, ...joined] : first;
    groups.push({ sides: both, from: i, to: both === first ? i + 1 : i + 3 });
    if (both !== first) i += 2;
  }
  return groups;
}

function sidesOf(
  tokens: readonly Token[],
  i: number,
  at: readonly (number | undefined)[],
  spans: readonly Span[],
): readonly Side[] | null {
  const word = tokens[i]?.word;
  if (word === "left" || word === "leftward") return ["left"];
  if (word === "right" || word === "rightward") return ["right"];
  if (word === "bilateral" || word === "bilaterally") return ["left", "right"];
  if (word !== "both") return null;
  // "Both lungs", "both sides", "Both."; not "both a mass and an effusion".
  if (tokens.length === 1 || /^sides?$/.test(tokens[i + 1]?.word ?? "")) return ["left", "right"];
  for (let j = i + 1; j < Math.min(tokens.length, i + 4); j++) {
    const span = at[j];
    if (span === undefined) continue;
    const { concept, to } = spans[span]!;
    const last = tokens[to - 1]!;
    return concept.category === "organ" && (last.word !== last.stem || tokens.length === to) ? ["left", "right"] : null;
  }
  return null;
}

/** The span that the side stands before; the terms that follow it without a gap ("lower lobe pneumonia") share the side. */
function bindForward(
  tokens: readonly Token[],
  spans: readonly Span[],
  at: readonly (number | undefined)[],
  { sides, to }: SideWords,
): number | null {
  let i = to;
  if (/^sided?$/.test(tokens[i]?.word ?? "")) {
    i++;
    if (tokens[i]?.word === "of") i++;
    while (/^(?:the|a|an)$/.test(tokens[i]?.word ?? "")) i++;
  }
  const limit = Math.min(tokens.length, i + 3);
  while (i < limit && at[i] === undefined && !STOPS.has(tokens[i]!.word) && !tokens[i]!.afterComma) i++;
  let index = at[i];
  if (index === undefined || (i > to && i < tokens.length && tokens[i]!.afterComma)) return null;
  if (tokens[i]!.afterComma) return null;
  const first = index;
  for (;;) {
    const span = spans[index]!;
    const next = spans[index + 1];
    const runsOn = next !== undefined && next.from === span.to && !tokens[next.from]!.afterComma;
    if (!(span.concept.single && runsOn)) give(span, sides);
    if (!runsOn || span.concept.category === "finding" || span.concept.category === "disease") return first;
    index++;
  }
}

/** The word before a place: where "in the", "on the", "(" or ", " of "in the left lung" begins; null when it is no place. */
function isLocated(tokens: readonly Token[], { from, to }: SideWords): number | null {
  let i = from;
  if (tokens[from]!.word.startsWith("bilateral") && /^(?:is|are|was|were)$/.test(tokens[from - 1]?.word ?? ""))
    return from;
  if (
    tokens[i]!.afterComma &&
    (tokens[to] === undefined || tokens[to]!.afterComma || /^sided?$/.test(tokens[to]!.word))
  ) {
    return from;
  }
  if (tokens[to]?.word === "sided") return from;
  while (i > 0 && INNER.has(tokens[i - 1]!.word) && !tokens[i]!.afterComma) i--;
  return i > 0 && PLACES.has(tokens[i - 1]!.word) && !tokens[i]!.afterComma ? i - 1 : null;
}

/** Gives the side to the finding that lies at the place, and to those listed with it. */
function bindBack(
  tokens: readonly Token[],
  spans: readonly Span[],
  at: readonly (number | undefined)[],
  { sides }: SideWords,
  place: number,
): boolean {
  let i = place - 1;
  let steps = 0;
  while (i >= 0 && at[i] === undefined) {
    if (++steps > 5 || (tokens[i + 1]!.afterComma && i + 1 !== place) || BARRIERS.has(tokens[i]!.word)) return false;
    i--;
  }
  let index = at[i];
  if (index === undefined) return false;
  let given = false;
  while (index >= 0 && (spans[index]!.sides.size === 0 || !given)) {
    const span: Span = spans[index]!;
    const { category } = span.concept;
    if (category === "modality" || (span.sides.size > 0 && !given)) return given;
    give(span, sides);
    given = true;
    const previous: Span | undefined = spans[index - 1];
    if (previous === undefined || previous.concept.category !== category) return given;
    const between = tokens.slice(previous.to, span.from);
    const isList = between.length > 0 || tokens[span.from]!.afterComma;
    if (!isList || !between.every(({ word }) => LIST.has(word))) return given;
    index--;
  }
  return given;
}

/** "The left lung shows an opacity": a finding without a place of its own has its subject's. */
function inherit(tokens: readonly Token[], spans: readonly Span[]): void {
  for (const [i, span] of spans.entries()) {
    const subject = spans[i - 1];
    const { category } = span.concept;
    if (span.sides.size > 0 || subject === undefined || (category !== "finding" && category !== "disease")) continue;
    const listed = spans[i - 2];
    const between = tokens.slice(subject.to, span.from);
    const shares = subject.concept.category === category && between.length > 0;
    if (
      shares &&
      listed !== undefined &&
      sharesSubject(tokens, listed, subject) &&
      between.every(({ word }) => LIST.has(word))
    ) {
      give(span, [...subject.sides]);
      continue;
    }
    if (subject.concept.category !== "organ" || subject.sides.size === 0) continue;
    const hasPlace = PLACES.has(tokens[span.to]?.word ?? "") && spans[i + 1]?.concept.category === "organ";
    if (!hasPlace && isPredicate(tokens, subject, span)) give(span, [...subject.sides]);
  }
}

function sharesSubject(tokens: readonly Token[], organ: Span, finding: Span): boolean {
  return organ.concept.category === "organ" && organ.sides.size > 0 && isPredicate(tokens, organ, finding);
}

/** A verb of the report stands between the two, and no other clause begins there. */
function isPredicate(tokens: readonly Token[], subject: Span, finding: Span): boolean {
  const between = tokens.slice(subject.to, finding.from);
  if (between.length === 0 || between.length > 6) return false;
  const breaks = between.some(
    ({ word, afterComma }) => word === "and" || word === "but" || (afterComma && word !== "there"),
  );
  return !breaks && !tokens[finding.from]!.afterComma && between.some(({ word }) => VERBS.has(word) || word === "with");
}

/** An answer that is little more than its side: "Left", "Upper left", "The right side". */
function isBare(tokens: readonly Token[]): boolean {
  return tokens.length <= 4 && !tokens.some(({ word }) => VERBS.has(word));
}

function give({ concept, sides }: Span, more: readonly Side[]): void {
  if (concept.sideless || concept.category === "modality") return;
  for (const side of more) sides.add(side);
}

const set = (words: string): ReadonlySet<string> => new Set(words.split(" "));
const PLACES = set(
  "in on at of within over along near to inside throughout involving affecting occupying overlying occupies involves",
);
/** Between the preposition and the side: "in the lower left lung". */
const INNER = set("the its a an upper lower middle mid entire whole patient his her");
/** A side does not reach over these to what follows. */
const STOPS = set(
  "of in on at to is are was were and or but with without that which the a an there has have shows no not from for as than",
);
const BARRIERS = set("but and or with without while whereas no not");
const LIST = set("and or a an the small large mild also");
