/**
 * Multiple choice: which one option an answer affirms, by letter or by text. Options are told apart by their index; a text
 * that fits two of them names neither, and an option that is denied is not chosen.
 */
import type { Example } from "../core/records.ts";
import { saysNothing } from "./closed.ts";
import { announcesLetter, labelled, leadingLabel, loneLetter } from "./labels.ts";
import { readings } from "./negation.ts";
import { clean, isArticle, normalise, normalisedTokens, type Word, withSignsSpelled, words } from "./normalise.ts";
import { romanNumber } from "./number-words.ts";

export { optionLetter } from "./labels.ts";

export interface ChosenOption {
  readonly index: number;
  /** The answer is the letter alone ("B", "(B)", "b.") or the option's text alone; false for "B. left lung". */
  readonly bare: boolean;
}

/** The option an answer chooses; null when it affirms none or several. Option texts are found longest first, without overlap. */
export function chosenOption(answer: string, choices: readonly string[]): ChosenOption | null {
  const cleaned = clean(answer);
  const letter = loneLetter(cleaned, choices.length);
  const written = optionsAsWritten(cleaned, choices);
  const label = written.length > 0 ? null : leadingLabel(cleaned, choices.length);
  if (label !== null) {
    const beside = optionsOfText(label.rest, choices);
    if (beside.length > 0) return beside.includes(label.index) ? { index: label.index, bare: false } : null;
  }
  const same = label === null ? optionsOfText(cleaned, choices) : [];
  if (same.length > 0) {
    if (same.length > 1 || (letter >= 0 && letter !== same[0])) return null;
    return { index: same[0]!, bare: true };
  }

  const { all, mentions, read } = optionsIn(cleaned, choices);
  if (mentions.some((one) => isExcepted(cleaned, all, one))) return null;
  const chosen = isTakenBack(cleaned, all, mentions, read) ? null : affirmed(mentions, read);
  return chosen === null ? null : { index: chosen, bare: all.length === 1 };
}

/** Where a text names options, by text or by letter, and how each word of it is to be read. */
function optionsIn(cleaned: string, choices: readonly string[]) {
  const all = words(cleaned);
  const covered = new Set<Word>();
  const mentions = [...textMentions(cleaned, all, choices, covered)];
  for (const i of all.keys()) {
    const index = covered.has(all[i]!) ? -1 : labelled({ cleaned, all, choices }, i, covered);
    if (index >= 0) mentions.push({ options: [index], at: [i] });
  }
  return { all, mentions, read: readings(cleaned, all, covered) };
}

/** The options that a text names and denies or rules out ("not B", "pneumonia is excluded"). */
export function deniedOptions(text: string, choices: readonly string[]): readonly number[] {
  const { mentions, read } = optionsIn(clean(text), choices);
  const denied = mentions.filter(({ at }) => at.some((i) => read[i]!.assertion === "denied"));
  return [...new Set(denied.flatMap(({ options }) => options))];
}

/** The index of the right option of a choice question, as its row gave it; else that of the reference; -1 when there is none. */
export function rightOption({ answer, choices, answerIndex }: Pick<Example, "answer" | "choices" | "answerIndex">) {
  return answerIndex ?? referenceOption(answer, choices);
}

/** The index of the option that a text is, else whose letter it is; -1 when there is none, or two fit. */
export function referenceOption(text: string, choices: readonly string[]): number {
  const cleaned = clean(text);
  const same = optionsOfText(cleaned, choices);
  if (same.length > 0) return same.length === 1 ? same[0]! : -1;
  return loneLetter(cleaned, choices.length);
}

/** The options whose text is the given one: letter for letter, else after normalisation, else with signs in words. */
function optionsOfText(cleaned: string, choices: readonly string[]): readonly number[] {
  const literal = optionsAsWritten(cleaned, choices);
  if (literal.length > 0) return literal;
  const text = normalise(cleaned);
  if (text === "") return [];
  const texts = choices.map(normalise);
  const equal = texts.flatMap((choice, i) => (choice === text ? [i] : []));
  if (equal.length > 0) return equal;
  const spelled = withSignsSpelled(text);
  return texts.flatMap((choice, i) => (withSignsSpelled(choice) === spelled ? [i] : []));
}

function optionsAsWritten(cleaned: string, choices: readonly string[]): readonly number[] {
  const written = asWritten(cleaned);
  return written === "" ? [] : choices.flatMap((choice, i) => (asWritten(clean(choice)) === written ? [i] : []));
}

/** In lower case, with single blanks, without quotes, emphasis and a stop around it. */
function asWritten(cleaned: string): string {
  return cleaned
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/^[\s"'*`“”]+|[\s"'*`“”.!。]+$/g, "");
}

interface Mention {
  /** The options it may mean. */
  readonly options: readonly number[];
  /** Indices of its words. */
  readonly at: readonly number[];
}

/** Where texts of options stand; their words are marked as covered. Options of equal words are one mention of all of them. */
function textMentions(cleaned: string, all: readonly Word[], choices: readonly string[], covered: Set<Word>) {
  const byText = new Map<string, { readonly tokens: readonly string[]; readonly options: number[] }>();
  for (const [i, choice] of choices.entries()) {
    const tokens = normalisedTokens(choice);
    const key = tokens.join(" ");
    const known = byText.get(key);
    if (known === undefined) byText.set(key, { tokens, options: [i] });
    else known.options.push(i);
  }
  const mentions: Mention[] = [];
  for (const { tokens, options } of [...byText.values()].sort((a, b) => b.tokens.length - a.tokens.length)) {
    for (const at of occurrences(cleaned, all, tokens, covered)) {
      if (at.length === 1 && isIdiom(cleaned, all, at[0]!)) continue;
      for (const i of at) covered.add(all[i]!);
      const letter = at.length === 1 ? labelled({ cleaned, all, choices }, at[0]!, NO_WORDS) : -1;
      const both = letter < 0 ? options : [...new Set([...options, letter])];
      mentions.push({ options: letter >= 0 && announcesLetter(all[at[0]! - 1]) ? [letter] : both, at });
      if (tokens.length > 1)
        mentions.push(...sharingItsNoun(cleaned, all, at, byText), ...sharingItsName(all, at, byText));
    }
  }
  return mentions;
}

type Texts = ReadonlyMap<string, { readonly options: readonly number[] }>;

/** The options that a word before "or" or "and" makes with the noun of the next: "left" of "left and right lung". */
function sharingItsNoun(
  cleaned: string,
  all: readonly Word[],
  at: readonly number[],
  byText: Texts,
): readonly Mention[] {
  const [first] = at;
  const gap = first! < 1 ? "" : cleaned.slice(all[first! - 1]!.end, all[first!]!.start).trim();
  const before = /^(?:or|and|nor)$/.test(all[first! - 1]?.token ?? "") ? first! - 2 : gap === "/" ? first! - 1 : -1;
  if (before < 0) return [];
  const noun = at.slice(1).map((i) => all[i]!.token);
  const other = byText.get([all[before]!.token, ...noun].join(" "));
  return other === undefined ? [] : [{ options: other.options, at: [before] }];
}

/** The same of numbers behind a name, which need be no option: "III" of "stage II or III". */
function sharingItsName(all: readonly Word[], at: readonly number[], byText: Texts): readonly Mention[] {
  const last = at.at(-1)!;
  const next = all[last + 2];
  if (next === undefined || !/^(?:or|and|nor|to)$/.test(all[last + 1]!.token) || !CODE.test(all[last]!.raw)) return [];
  if (!/^(?:[IVX]+|\d+)\p{L}?$/u.test(next.raw)) return [];
  const name = at.slice(0, -1).map((i) => all[i]!.token);
  const other = byText.get([...name, romanNumber(next.raw) ?? next.token].join(" "));
  return [{ options: other?.options ?? [], at: [last + 2] }];
}

/** "no doubt" and "all right" say neither no nor right. */
function isIdiom(cleaned: string, all: readonly Word[], at: number): boolean {
  const { token } = all[at]!;
  if (token === "no") return saysNothing(cleaned, all, at);
  const before = `${all[at - 2]?.token ?? ""} ${all[at - 1]?.token ?? ""}`;
  return token === "right" && / (?:all|youre|thats)$|^(?:you are|i am|that is)$/.test(before);
}

const NO_WORDS: ReadonlySet<Word> = new Set();

/** Each run of words that is the option's, articles between them aside, with none covered, and no part of a longer code. */
function occurrences(
  cleaned: string,
  all: readonly Word[],
  option: readonly string[],
  covered: ReadonlySet<Word>,
): readonly (readonly number[])[] {
  const found: number[][] = [];
  for (let i = 0; option.length > 0 && i < all.length; i++) {
    const at: number[] = [];
    for (let j = i; at.length < option.length && j < all.length; j++) {
      if (all[j]!.token === option[at.length] && !covered.has(all[j]!)) at.push(j);
      else if (at.length === 0 || !isArticle(all[j]!.token, false)) break;
    }
    if (at.length < option.length || isPartOfCode(cleaned, all[i]!, all[at.at(-1)!]!)) continue;
    found.push(at);
    i = at.at(-1)!;
  }
  return found;
}

/** "2" in "IL-2", "T1" in "T1-T2", "stage I" in "stage I-II", "10" in "10 %"; not "T2" in "T2-weighted". */
function isPartOfCode(cleaned: string, first: Word, last: Word): boolean {
  const before = cleaned.slice(Math.max(0, first.start - 12), first.start);
  if (/^\d/.test(first.raw) && /[\p{L}\d][-/]$/u.test(before)) return true;
  if (CODE.test(first.raw) && CODE_BEFORE.test(before)) return true;
  if (!CODE.test(last.raw)) return false;
  const after = cleaned.slice(last.end, last.end + 18);
  return CODE_AFTER.test(after) || /^\s?[%‰]/.test(after);
}

const CODE = /\d$|^[IVX]+$/;
const CODE_BEFORE = /(?<![\p{L}\d])(?:[IVX]+|\p{L}{1,3}\d+)(?:\s?[-–/]\s?|\s(?:to|through)\s)$/u;
const CODE_AFTER = /^(?:\s?[-–/]\s?\d|(?:\s?[-–/]\s?|\s(?:to|through)\s)(?:[IVX]+|\p{L}{1,3}\d+)(?!\p{L}))/u;

/** "All of the above except mass" */
function isExcepted(cleaned: string, all: readonly Word[], { at }: Mention): boolean {
  return (
    /^(?:all|none|both|any|everything|nothing)$/.test(all[at[0]!]!.token) &&
    /^,?\s(?:except|but not|apart from|other than|save for|excluding)\b/i.test(cleaned.slice(all[at.at(-1)!]!.end))
  );
}

/** "D, no wait, C": another option after a word of correction. */
function isTakenBack(
  cleaned: string,
  all: readonly Word[],
  mentions: readonly Mention[],
  read: ReturnType<typeof readings>,
): boolean {
  const at = cleaned.search(CORRECTION);
  if (at < 0) return false;
  const before = mentions
    .filter((one) => all[one.at[0]!]!.start < at && stands(one, read))
    .flatMap(({ options }) => options);
  const after = mentions.filter((one) => all[one.at[0]!]!.start > at).flatMap(({ options }) => options);
  return before.length > 0 && after.some((option) => !before.includes(option));
}

const CORRECTION =
  /[\s,.;:…—–-](?:no,? wait|wait|actually|on second thoughts?|correction|scratch that|i mean|or rather|sorry)\b/i;

function stands({ at }: Mention, read: ReturnType<typeof readings>): boolean {
  return at.every((i) => /affirmed|possible/.test(read[i]!.assertion));
}

/** The one option that all affirmed mentions may mean; null where there is none, or where it is denied or doubted as well. */
function affirmed(mentions: readonly Mention[], read: ReturnType<typeof readings>): number | null {
  const chosen = mentions.filter((one) => stands(one, read));
  if (chosen.length === 0) return null;
  const common = chosen[0]!.options.filter((option) => chosen.every(({ options }) => options.includes(option)));
  const isDenied = (option: number) => mentions.some((one) => !stands(one, read) && one.options.includes(option));
  return common.length === 1 && !isDenied(common[0]!) ? common[0]! : null;
}
