/** Multiple choice: which one option an answer names, by letter or by text; two options named is none. */
import { clean, isArticle, normalise, normalisedTokens, type Word, words } from "./normalise.ts";

export interface ChosenOption {
  readonly index: number;
  /** The answer is the letter alone ("B", "(B)", "b.") or the option's text alone; false for "B. left lung". */
  readonly bare: boolean;
}

/** The letter of an option: A, B, … */
export function optionLetter(index: number): string {
  return String.fromCharCode(65 + index);
}

/** The option an answer names; null when it names none or several. Option texts are found longest first, without overlap. */
export function chosenOption(answer: string, choices: readonly string[]): ChosenOption | null {
  const options = choices.map(normalisedTokens);
  const whole = normalise(answer);
  const cleaned = clean(answer);
  const labelled = /^\W*A[).:\]]/.test(cleaned); // no article: "A. left lung" names option A
  const equal = choices.flatMap((_, i) => (options[i]!.join(" ") === whole && !labelled ? [i] : []));
  if (equal.length > 0) return equal.length === 1 ? { index: equal[0]!, bare: true } : null;

  const all = words(cleaned);
  const content = all.filter((word, i) => !isArticle(word.token, i === all.length - 1));
  const covered = new Set<Word>();
  const named = new Set<number>();
  const longestFirst = options.map((_, i) => i).sort((a, b) => options[b]!.length - options[a]!.length);
  for (const i of longestFirst) if (coverText(content, options[i]!, covered)) named.add(i);
  for (const [i, word] of all.entries()) {
    const index = covered.has(word) ? -1 : letterIndex(word, choices.length);
    if (index >= 0 && isLabel(cleaned, all, i)) named.add(index);
  }
  return named.size === 1 ? { index: [...named][0]!, bare: all.length === 1 } : null;
}

/** The index of the right option: the one whose text, else whose letter, is the reference; -1 when there is none. */
export function referenceOption(reference: string, choices: readonly string[]): number {
  const text = normalise(reference);
  const byText = choices.findIndex((choice) => normalise(choice) === text);
  if (byText >= 0) return byText;
  return text.length === 1 ? choices.findIndex((_, i) => optionLetter(i).toLowerCase() === text) : -1;
}

/** Marks the words of every occurrence of the option's text that is not covered yet; true when there is one. */
function coverText(content: readonly Word[], option: readonly string[], covered: Set<Word>): boolean {
  let found = false;
  for (let i = 0; option.length > 0 && i + option.length <= content.length; i++) {
    if (!option.every((token, j) => content[i + j]!.token === token && !covered.has(content[i + j]!))) continue;
    for (let j = 0; j < option.length; j++) covered.add(content[i + j]!);
    found = true;
    i += option.length - 1;
  }
  return found;
}

function letterIndex(word: Word, options: number): number {
  const index = word.raw.length === 1 ? word.raw.toUpperCase().charCodeAt(0) - 65 : -1;
  return index >= 0 && index < options ? index : -1;
}

/** A single letter is a label when it stands alone, is set off by signs, follows "option", or is a capital that is no word. */
function isLabel(cleaned: string, all: readonly Word[], i: number): boolean {
  const word = all[i]!;
  const before = cleaned[word.start - 1] ?? "";
  const after = cleaned[word.end] ?? "";
  if (all.length === 1) return true;
  if (before === "'" || before === "-" || after === "-" || after === "'") return false;
  if (/[(["*]/.test(before) || /[)\]:*]/.test(after)) return true;
  if (i > 0 && /^(?:option|choice|letter|answer)$/.test(all[i - 1]!.token)) return true;
  if (word.raw !== word.raw.toUpperCase()) return i === 0 && after === ".";
  if (word.raw !== "A" && word.raw !== "I") return true;
  return after === "" || /[.,;]/.test(after) || /^(?:or|and)$/.test(all[i + 1]?.token ?? "or");
}
