/**
 * Which words of a sentence are denied or doubted: NegEx (Chapman 2001) with its pseudo-triggers and terminators, triggers
 * before and after a finding, lists, double negation, and a clause's own verb ending the reach of what came before it.
 */
import type { Token } from "./tokens.ts";
import { longestEntry, type TriggerKind, type Vocabulary } from "./vocabulary.ts";

/** What a sentence says of a word's concept: that it is there, that it is not, or neither ("possible", "history of"). */
export type Assertion = "present" | "absent" | "uncertain";

interface Trigger {
  readonly kind: TriggerKind;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** The assertion of every word. `isConcept` marks the words of found terms: they are what a trigger may reach. */
export function assertions(
  tokens: readonly Token[],
  isConcept: readonly boolean[],
  vocabulary: Vocabulary,
): readonly Assertion[] {
  const words = tokens.map(({ word }) => word);
  const triggers = findTriggers(tokens, words, isConcept, vocabulary);
  const state: Assertion[] = words.map(() => "present");
  for (const [i, trigger] of triggers.entries()) {
    const doubts = trigger.kind.startsWith("maybe");
    const next = triggers[i + 1];
    if (trigger.kind === "before" || trigger.kind === "maybe_before") {
      if (!doubts && next?.kind === "before" && isDouble(tokens, trigger.to, next.from, isConcept)) continue;
      const previous = triggers[i - 1];
      const isUndone = !doubts && previous?.kind === "before" && isDouble(tokens, previous.to, trigger.from, isConcept);
      const end = next === undefined ? words.length : next.from;
      if (!isUndone) mark(state, trigger.to, reachForward(tokens, isConcept, trigger.to, end, doubts), doubts);
    } else if (trigger.kind === "after" || trigger.kind === "maybe_after") {
      const previous = triggers[i - 1];
      const start = previous === undefined ? 0 : previous.to;
      mark(state, reachBack(tokens, isConcept, start, trigger.from), trigger.from, doubts);
    }
  }
  return state;
}

/** Triggers from left to right, the longest at each place, none inside a found term. */
function findTriggers(
  tokens: readonly Token[],
  words: readonly string[],
  isConcept: readonly boolean[],
  vocabulary: Vocabulary,
): readonly Trigger[] {
  const found: Trigger[] = [];
  for (let i = 0; i < words.length; i++) {
    const entry = isConcept[i] ? null : longestEntry(vocabulary.triggers, words, i);
    if (entry === null || isInterjection(tokens, i, entry.end)) continue;
    const kind = kindHere(entry.value, tokens, entry.end, words[i]!);
    if (kind !== null) found.push({ kind, from: i, to: entry.end });
    i = entry.end - 1;
  }
  return found;
}

/** "No, the heart is enlarged": an answer, and no negation of what follows. */
function isInterjection(tokens: readonly Token[], from: number, to: number): boolean {
  return from === 0 && to === 1 && tokens[0]!.word === "no" && (tokens[1]?.afterComma ?? true);
}

/** Short words deny what follows; at the end of a clause ("a cyst is not", "effusion: none") what precedes them. */
function kindHere(kind: TriggerKind, tokens: readonly Token[], to: number, word: string): TriggerKind | null {
  if (!EITHER_WAY.has(word) || tokens[to - 1]!.word !== word) return kind;
  const next = tokens[to];
  return next === undefined || (next.afterComma && word !== "no") ? "after" : "before";
}

const EITHER_WAY = new Set(["no", "not", "never", "none", "negative", "absent", "resolved"]);

/** Two negations with nothing but a few words between them cancel: "not without a mass", "no absence of effusion". */
function isDouble(tokens: readonly Token[], from: number, to: number, isConcept: readonly boolean[]): boolean {
  if (to - from > 5) return false;
  for (let i = from; i <= to; i++) {
    if (tokens[i]!.afterComma || (i < to && (isConcept[i] || JOINS.has(tokens[i]!.word)))) return false;
  }
  return true;
}

/** How far a trigger reaches: to the next one, or to where a clause with a subject of its own begins. */
function reachForward(
  tokens: readonly Token[],
  isConcept: readonly boolean[],
  from: number,
  end: number,
  doubts: boolean,
): number {
  let named = false;
  let verbPassed = false;
  for (let i = from; i < end; i++) {
    const { word, afterComma } = tokens[i]!;
    const joins = afterComma || word === "and" || word === "with" || word === "while";
    if (joins && named && (verbPassed || beginsClause(tokens, i, end))) return i;
    if (doubts && (word === "with" || (afterComma && word !== "or"))) return i;
    if (!named && afterComma && i > from && beginsClause(tokens, i, end)) return i;
    if (isConcept[i]) named = true;
    else if (named && VERBS.has(word)) verbPassed = true;
  }
  return end;
}

/** "…and the heart is enlarged": a determiner and, soon after it, a verb. */
function beginsClause(tokens: readonly Token[], at: number, end: number): boolean {
  const first = JOINS.has(tokens[at]!.word) ? at + 1 : at;
  if (first >= end || !DETERMINERS.has(tokens[first]!.word)) return false;
  for (let i = first; i < Math.min(end, first + 7); i++) {
    if (i > first && tokens[i]!.afterComma) return false;
    if (VERBS.has(tokens[i]!.word)) return true;
  }
  return false;
}

/** How far back "… is absent" reaches: over its own verb and a list, to the verb or the end of another clause. */
function reachBack(tokens: readonly Token[], isConcept: readonly boolean[], start: number, to: number): number {
  let i = to;
  while (i > start && VERBS.has(tokens[i - 1]!.word)) i--;
  while (i > start) {
    const { word } = tokens[i - 1]!;
    if (!isConcept[i - 1] && VERBS.has(word)) break;
    if (!isConcept[i - 1] && (word === "with" || word === "without")) break;
    i--;
  }
  return i;
}

function mark(state: Assertion[], from: number, to: number, doubts: boolean): void {
  for (let i = from; i < to; i++) if (state[i] === "present" || !doubts) state[i] = doubts ? "uncertain" : "absent";
}

const JOINS = new Set(["and", "or", "nor", "with", "while"]);
const DETERMINERS = new Set(["the", "there", "a", "an", "it", "this", "these", "that", "its", "both", "some"]);

/** Verbs of reports in the forms that have a subject. */
export const VERBS: ReadonlySet<string> = new Set(
  (
    "is are was were has have had been be remains remain appears appear shows show showed demonstrates demonstrate " +
    "reveals reveal contains contain exhibits exhibit lies lie suggests suggest indicates indicate occupies occupy " +
    "involves involve seems seem looks measures"
  ).split(" "),
);
