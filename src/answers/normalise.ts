/**
 * The one normalisation behind every comparison of answers: Unicode NFKC, no invisible characters, lower case, no
 * punctuation, no articles, number words zero to twenty as digits, numbers in one spelling, single blanks. Signs that carry
 * meaning stay with what they stand at: "CD4+" and "CD4-" are two words, "-2.5" and "<5" are numbers.
 */
import { withoutMarkup } from "./markup.ts";
import { joinedWord, numberWord } from "./number-words.ts";
import { numberAt } from "./numbers.ts";
import type { Word } from "./word.ts";

export type { Word } from "./word.ts";

/**
 * NFKC without invisible (format) characters, with plain apostrophes, and with one minus: the text that word offsets refer
 * to. What NFKC would spoil is written out before: powers ("10⁻³" is "10^-3"), fractions ("2½" is "2 1/2"), blanks between
 * thousands.
 */
export function clean(given: string): string {
  const text = withoutMarkup(given);
  if (PLAIN.test(text)) return signed(text);
  const spelled = text
    .replace(/\p{Cf}+/gu, "")
    .replace(/(?<=[\p{Nd})])([⁺⁻]?)([⁰¹²³⁴-⁹]+)/gu, (_, sign: string, power: string) => {
      return `^${sign === "⁻" ? "-" : ""}${power.normalize("NFKC")}`;
    })
    .replace(/(\p{Nd}?)\s?([¼½¾⅐-⅞])/gu, (_, whole: string, part: string) => `${whole} ${part.normalize("NFKC")}`)
    .replace(/(?<=\d)[\u00a0\u2007\u2009\u202f](?=\d{3}(?!\d))/g, " ")
    .replace(/(?<=\d)’(?=\d{3}(?!\d))/g, "'");
  const composed = spelled
    .normalize("NFKC")
    .replace(/\p{Cf}+/gu, "")
    .replace(/[‘’ʼ′]/g, "'")
    .replace(/⁄/g, "/")
    .replace(/∶/g, ":")
    .replace(/[≦⩽]/g, "≤")
    .replace(/[≧⩾]/g, "≥")
    .replace(/(?<!\d\s?)\u2212\s+(?=\.?\d)/g, "-")
    .replace(/[\u2010-\u2012\u2212\u2796]/g, "-")
    .replace(/(?<=^|[\s([{:=<>≤≥~≈±,;|"'*])[–—―](?=\.?\d)|(?<=\d)[–—―](?=\d)|(?<=\d\s)[–—―](?=\s\d)/g, "-")
    .replace(/(?<=[\p{L}\p{N}])[–—](?=$|[/,;.)\]])/gu, "-")
    .replace(/^([\s"'(*]*)[–—]\s+(?=\.?\d)/, "$1-");
  return signed(composed);
}

const THOUSANDS = /(?<![\p{L}\d.,-])[1-9]\d{0,2}(?: \d{3}){1,8}(?!\d)/gu;

const PLAIN = /^[\x20-\x7e\n\r\t]*$/;

/** A number that a bound follows: "5 mm or more" is "≥5 mm". */
const BOUND =
  /(?<![\p{L}\p{N}.,<>≤≥-])(\d[\d.,]*(?:\s?[\p{L}%°/]{1,12})?)\s(?:or|and)\s(?:(more|greater|larger|above|over|higher|longer|older|bigger|beyond)|less|fewer|smaller|below|under|lower|shorter|younger)(?![\p{L}\p{N}])/giu;

function bounded(_: string, number: string, isMore: string | undefined): string {
  return (isMore === undefined ? "≤" : "≥") + number;
}

/** "+/-", "+ve", blanks between thousands, a minus that a blank parts from its number (not that of a list). */
function signed(text: string): string {
  let result = /\d \d{3}/.test(text) ? text.replace(THOUSANDS, (digits) => digits.replaceAll(" ", "")) : text;
  if (result.includes("'")) result = result.replace(/(?<=\d)'(?=\d{3}(?!\d))/g, "");
  if (result.includes("×")) result = result.replace(/(?<=\p{L}\s?)×(?=\s?\d)/gu, " x ");
  if (/≠|!=/.test(result)) result = result.replace(/\s?(?:≠|!=)\s?(?=\p{L})/gu, " not ");
  if (result.includes("10 to the "))
    result = result.replace(
      /(?<![\d.,])10 to the (?:power )?(?:of )?(minus |-)?(\d{1,2})(?!\d)/g,
      (_, sign, power) => `10^${sign ? "-" : ""}${power}`,
    );
  if (/-\(\d/.test(result)) result = result.replace(/(?<![\p{L}\p{N})])-\((\d[\d.,]*)\)/gu, "-$1");
  if (/\d.{0,16} (?:or|and) [a-z]/i.test(result)) result = result.replace(BOUND, bounded);
  if (result.includes("+/-")) result = result.replaceAll("+/-", "±");
  if (/[+-]ve\b/i.test(result)) {
    result = result.replace(/\+ve\b/gi, " positive").replace(/(?<![\p{L}\p{N}])-ve\b/giu, " negative");
  }
  return /^\s*-\s+\.?\d/.test(result) && !/\n\s*-\s/.test(result) ? result.replace(/^(\s*-)\s+/, "$1") : result;
}

/**
 * The words of a cleaned text. Kept: letters and digits, numbers as `numberAt` reads them, a sign at the end of a word
 * ("CD4+", "Rh-"), "<" and ">" between words, ordinals ("4th"), "%" as "percent". Dropped: all other signs; apostrophes join
 * ("patient's" is "patients"); a hyphen parts ("x-ray" is "x ray"); a unit parts from its number ("5cm" is "5 cm").
 */
export function words(cleaned: string): Word[] {
  const alone = /^[\s([{"']*([+]{1,4}|-)[\s)\]}"'.]*$/.exec(cleaned);
  if (alone !== null) {
    const start = cleaned.indexOf(alone[1]!);
    return [{ token: alone[1]!, raw: alone[1]!, start, end: start + alone[1]!.length }];
  }
  const found: Word[] = [];
  START.lastIndex = 0;
  for (let match = START.exec(cleaned); match !== null; match = START.exec(cleaned)) {
    const word = wordAt(cleaned, match.index);
    if (word === null) continue;
    const merged = joinedWord(cleaned, found, word);
    while (found.length > 0 && found.at(-1)!.start >= merged.start) found.pop();
    found.push(merged);
    START.lastIndex = word.end;
  }
  return found;
}

/** Words as compared, articles dropped ("a" only before another word; all kept when nothing else is there). */
export function normalisedTokens(text: string): string[] {
  const all = words(clean(text)).map((word) => word.token);
  const kept = all.filter((token, i) => !isArticle(token, i === all.length - 1));
  return kept.length > 0 ? kept : all;
}

/** The normalised text. */
export function normalise(text: string): string {
  return normalisedTokens(text).join(" ");
}

/** Of a normalised text: "her2+" as "her2 positive", "rh-" as "rh negative"; numbers keep their signs. */
export function withSignsSpelled(normalised: string): string {
  return normalised
    .split(" ")
    .map((token) => (/^\p{L}/u.test(token) ? token.replace(/\+$/, " positive").replace(/-$/, " negative") : token))
    .join(" ");
}

/** Whether a token is an article; a final "a" ("hepatitis A") is not. */
export function isArticle(token: string, last: boolean): boolean {
  return token === "the" || token === "an" || (token === "a" && !last);
}

const START = /[\p{L}\p{N}\p{M}%‰]|[<>≤≥≠±√∛∜∑∏∫]|[-+.](?=\.?\d)/gu;
const ORDINAL = /\d+(?:st|nd|rd|th)(?![\p{L}\p{N}])/iuy;
const LETTERS = /[\p{L}\p{N}\p{M}]+(?:'\p{L}+)*/uy;
const TAG = /<\/?\s?([a-z][\w|-]{0,30})\s?\/?>/iy;

function wordAt(cleaned: string, at: number): Word | null {
  const found = (token: string, end: number, start = at): Word => ({
    token,
    raw: cleaned.slice(start, end),
    start,
    end,
  });
  const first = cleaned[at]!;
  if (first === "%" || first === "‰") return found(first === "%" ? "percent" : "permille", at + 1);
  const tag = first === "<" ? sticky(TAG, cleaned, at) : null;
  if (tag !== null) {
    const start = at + tag[0].indexOf(tag[1]!);
    return found(tokenOf(tag[1]!), start + tag[1]!.length, start);
  }
  const ordinal = sticky(ORDINAL, cleaned, at);
  if (ordinal !== null) return found(ordinal[0].toLowerCase(), at + ordinal[0].length);
  const number = numberAt(cleaned, at);
  if (number !== null) return found(number.token, number.end);
  const letters = sticky(LETTERS, cleaned, at)?.[0];
  if (letters !== undefined) {
    const { sign, end } = signAfter(cleaned, at, at + letters.length);
    return found(tokenOf(letters) + sign, end);
  }
  return /[<>≤≥≠]/.test(first) && comparesWords(cleaned, at) ? found(first, at + 1) : null;
}

function sticky(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function comparesWords(cleaned: string, at: number): boolean {
  if (cleaned[at] === ">" && /<\/?\s?[a-z][\w|-]{0,30}\s?$/i.test(cleaned.slice(Math.max(0, at - 35), at)))
    return false;
  return /[\p{L}\p{N})]\s?$/u.test(cleaned.slice(Math.max(0, at - 3), at)) && /^.\s?[\p{L}(]/u.test(cleaned.slice(at));
}

/**
 * A plus or minus that belongs to the word before it: "CD4+", "ER-/PR-", "HER2 (+)". A minus before a blank is one only after
 * an abbreviation ("CD4- cells"), and not where it stands for the rest of a word ("T1- and T2-weighted").
 */
function signAfter(cleaned: string, start: number, end: number): { readonly sign: string; readonly end: number } {
  const rest = cleaned.slice(end, end + 40);
  const sign = (text: string, length: number) => ({ sign: text, end: end + length });
  const plus = /^\+{1,4}(?!\d)/.exec(rest);
  if (plus !== null) return sign(plus[0], plus[0].length);
  const bracketed = /^\s?\(([+-])\)/.exec(rest) ?? /^\s([+-])(?=\s*$|\s*[/,;.)])/.exec(rest);
  if (bracketed !== null && end + rest.length >= end + bracketed[0].length)
    return sign(bracketed[1]!, bracketed[0].length);
  if (rest[0] !== "-") return sign("", 0);
  const followed = rest.slice(1);
  const isAbbreviation = /\d|\p{Lu}.*\p{Lu}|^Rh$/u.test(cleaned.slice(start, end));
  if (isAbbreviation && /^[\p{L}\p{N}]+[+-](?![\p{L}\p{N}])/u.test(followed)) return sign("-", 1);
  if (/^\s[\p{L}\p{N}]+[+-](?![\p{L}\p{N}])/u.test(followed)) return sign("-", 1);
  if (/^(?:\s*$|[/,;.)\]}!?"'$*])/.test(followed)) return sign("-", 1);
  const first = cleaned.slice(start, end);
  if (/^\p{Lu}$/u.test(first) && /^\s(?:or|and|nor|but|vs|is|not|rather|instead|because)\b/.test(followed))
    return sign("-", 1);
  const isSuspended = /^\s(?:and|or|to)\s[\p{L}\p{N}]+-[\p{L}\p{N}]/u.test(followed);
  return /^\s/.test(followed) && isAbbreviation && !isSuspended ? sign("-", 1) : sign("", 0);
}

const GREEK: Readonly<Record<string, string>> = {
  α: "alpha",
  β: "beta",
  γ: "gamma",
  δ: "delta",
  ε: "epsilon",
  κ: "kappa",
  λ: "lambda",
  ω: "omega",
};

function tokenOf(raw: string): string {
  const lower = raw.toLowerCase().replaceAll("'", "");
  const greek = GREEK[lower[0]!];
  if (greek !== undefined && /^.\d*$/u.test(lower)) return greek + lower.slice(1);
  return numberWord(lower) ?? lower;
}
