/** Which single letters of an answer are labels of options ("B", "(b)", "option B") and which are words or names ("vitamin C"). */
import type { Word } from "./normalise.ts";

/** The letter of an option: A, B, … */
export function optionLetter(index: number): string {
  return String.fromCharCode(65 + index);
}

/** The index of the option whose letter a text is, as "B", "b" or "(B)."; -1 for any other text. */
export function loneLetter(text: string, options: number): number {
  return letterIndex(/^[\s(["'*]*([A-Za-z])[\s)\].:"'*]*$/.exec(text)?.[1] ?? "", options);
}

/** The label an answer begins with, and what follows it ("B. left lung"); null where it begins with none. */
export function leadingLabel(text: string, options: number): { readonly index: number; readonly rest: string } | null {
  const match = /^[\s(["'*]*([A-Za-z])["'*]*\s?[).:\]、][\s"'*]*(\S[\s\S]*)$/.exec(text);
  const index = match === null ? -1 : letterIndex(match[1]!, options);
  return index < 0 ? null : { index, rest: match![2]! };
}

/** An answer's cleaned text with its words, and the options it is about. */
export interface Lettered {
  readonly cleaned: string;
  readonly all: readonly Word[];
  readonly choices: readonly string[];
}

/** The index of the option that a word labels; -1 where it is no label. `covered`: words that belong to an option's text. */
export function labelled(text: Lettered, at: number, covered: ReadonlySet<Word>): number {
  const { cleaned, all, choices } = text;
  const word = all[at]!;
  const joined = /^[A-Za-z]\+$/.test(word.raw) && /\p{L}/u.test(cleaned[word.end] ?? ""); // "A+B" names both
  const index = letterIndex(joined ? word.raw[0]! : word.raw, choices.length);
  return index >= 0 && (joined || isLabel(text, at, covered)) ? index : -1;
}

function letterIndex(letter: string, options: number): number {
  const index = letter.length === 1 ? letter.toUpperCase().charCodeAt(0) - 65 : -1;
  return index >= 0 && index < options ? index : -1;
}

/** Whether a word says that the next one is a letter: "option B". */
export function announcesLetter(word: Word | undefined): boolean {
  return word !== undefined && NAMES.has(word.token);
}

const NAMES = new Set(["option", "options", "choice", "choices", "letter", "letters"]);

/** Words that a label may follow or come before without a sign between: what chooses, joins, denies or explains. */
const AROUND = new Set(
  (
    "is was be are were as at or and nor not no non neither either both than of out only but yet so therefore thus hence then " +
    "with for to by on choose chose chosen choosing pick picked select selected selecting say saying said think thinking " +
    "believe guess answer answers answered response selection pick verdict conclusion conclude exclude excludes excluded " +
    "excluding eliminate reject against instead rather except go going prefer would will if whether because since while " +
    "whereas although though due seems looks appears fits isnt wasnt arent cannot cant doesnt dont can could may might must " +
    "should definitely probably possibly likely unlikely maybe perhaps clearly certainly again correct incorrect right wrong " +
    "true false please still also just that it its this here over versus vs yes too plus well together along besides actually indeed really ultimately finally into favour favor means ie eg has does do"
  ).split(" "),
);

function isLabel({ cleaned, all, choices }: Lettered, at: number, covered: ReadonlySet<Word>): boolean {
  const word = all[at]!;
  const before = cleaned[word.start - 1] ?? "";
  const after = cleaned[word.end] ?? "";
  if (all.length === 1) return true;
  if (
    before === "'" ||
    before === "-" ||
    after === "'" ||
    (after === "-" && /\p{L}/u.test(cleaned[word.end + 1] ?? ""))
  ) {
    return false;
  }
  if (/[(["*{]/.test(before) || /[)\]:*}]/.test(after)) return true;
  const previous = all[at - 1];
  const next = all[at + 1];
  if (announcesLetter(previous)) return true;
  const parts = (from: number, to: number) => /[^\s]|\n/.test(cleaned.slice(from, to)); // a sign or a line's end
  const alone = next === undefined || parts(word.end, next.start);
  if (word.raw !== word.raw.toUpperCase()) {
    return (at === 0 && after === ".") || (previous?.token === "answer" && parts(previous.end, word.start) && alone);
  }
  if (after === "." && next !== undefined && isBinomial(cleaned, word, next, choices)) return false;
  const follows = previous === undefined || parts(previous.end, word.start) || AROUND.has(previous.token);
  if (isPronoun(word.raw)) return (follows || /^[A-Z]\+?$/.test(previous!.raw)) && isNamed(cleaned, word, next, alone);
  const leads = alone || AROUND.has(next!.token) || covered.has(next!) || /^[A-Z]$/.test(next!.raw);
  return leads && (follows || covered.has(previous!) || /^[A-Z]\+?$/.test(previous!.raw));
}

/** "A", "a" and "I" are words before a word, unless that word speaks of an option ("A or B", "A is correct"). */
function isPronoun(raw: string): boolean {
  return raw === "A" || raw === "I" || raw === "a";
}

function isNamed(cleaned: string, word: Word, next: Word | undefined, alone: boolean): boolean {
  if (word.raw === "a") return false;
  const sign = cleaned.slice(word.end, next?.start).trim();
  if (sign === "(" && next?.token === "not") return true;
  if (alone) return next === undefined || sign === "" || /^[.,;&/+=?!|<–—-]/.test(sign);
  if (
    /^\s(?:because|since|rather than|instead of|as well as|plus|along with|together with|but)\b/.test(
      cleaned.slice(word.end),
    )
  )
    return true;
  if (/^(?:or|and|nor|vs|versus|but)$/.test(next!.token) || /^[A-Z]$/.test(next!.raw)) return true;
  if (word.raw === "I" || next!.token !== "is") return word.raw === "A" && next!.token === "isnt";
  return /^\s(?:not|n't|the\s(?:correct|right|best|most|only|answer)|correct|right|wrong|incorrect|best|clearly|definitely|excluded|ruled|unlikely|false|true)\b/i.test(
    cleaned.slice(next!.end),
  );
}

/** "E. faecalis" where options are such names: a genus and a species, not a label and a text. */
function isBinomial(cleaned: string, word: Word, next: Word, choices: readonly string[]): boolean {
  const rest = cleaned.slice(next.end);
  if (!choices.some((choice) => /^\s*\p{Lu}\. ?\p{Ll}/u.test(choice))) return false;
  return /^\. [a-z]{4,}$/.test(cleaned.slice(word.end, next.end)) && !AROUND.has(next.token) && /^\W*$/.test(rest);
}
