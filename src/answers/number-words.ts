/** Numbers in words, and the words that sign, compare and scale the number beside them. Words are those of a cleaned text. */
import { isPlainNumber, negative, shifted } from "./numbers.ts";
import type { Word } from "./word.ts";

/** The token of a number word ("three" is "3") or an ordinal ("third" is "3rd"); null for any other. */
export function numberWord(lower: string): string | null {
  return NUMBER_WORDS.get(lower) ?? null;
}

/** A Roman numeral up to XII in digits; null for any other word. */
export function romanNumber(word: string): string | null {
  return ROMAN.get(word.toLowerCase()) ?? null;
}

/**
 * A word joined with those before it: "less than 5" is "<5", "minus two" is "-2", "twenty-two" is "22", "2 million" is
 * "2000000", "stage II" is "stage 2". The joined one begins where the first of them did.
 */
export function joinedWord(cleaned: string, before: readonly Word[], word: Word): Word {
  const last = before.at(-1);
  if (last === undefined) return word;
  const gap = cleaned.slice(last.end, word.start);
  const roman = CLASSES.has(last.token) && /^\s?$/.test(gap) ? romanNumber(word.raw) : null;
  if (roman !== null) return { ...word, token: roman };
  if (/^[\s-]$/.test(gap)) {
    const scaled = scaledBy(last.token, word.token) ?? (TENS.test(last.raw) ? addedUnit(last.token, word) : null);
    if (scaled !== null)
      return { token: scaled, raw: cleaned.slice(last.start, word.end), start: last.start, end: word.end };
  }
  return isPlainNumber(word.token) ? withSign(cleaned, before, word) : word;
}

const NUMBER_WORDS: ReadonlyMap<string, string> = new Map([
  ...numbered(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
      "eighteen nineteen",
    (i) => `${i}`,
  ),
  ...numbered("twenty thirty forty fifty sixty seventy eighty ninety", (i) => `${10 * (i + 2)}`),
  ...numbered("first", () => "1st"),
  ...numbered("third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth", (i) =>
    i === 0 ? "3rd" : `${i + 3}th`,
  ),
]);

function numbered(words: string, token: (i: number) => string): readonly (readonly [string, string])[] {
  return words.split(" ").map((word, i) => [word, token(i)] as const);
}

const TENS = /(?:^|\s)(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)$/i;
const POWERS: Readonly<Record<string, number>> = { hundred: 2, thousand: 3, million: 6, billion: 9 };

/** Words before which a Roman numeral counts: "stage II" and "stage 2" are one. */
const CLASSES = new Set("stage grade type class phase nerve cn segment category".split(" "));
const ROMAN: ReadonlyMap<string, string> = new Map(
  numbered("i ii iii iv v vi vii viii ix x xi xii", (i) => `${i + 1}`),
);

/** "2" by "million"; null for anything else. */
function scaledBy(token: string, word: string): string | null {
  const power = POWERS[word];
  const number = /^([<>≤≥-]?)(\d+(?:\.\d+)?)$/.exec(token);
  return power === undefined || number === null ? null : number[1]! + shifted(number[2]!, power);
}

/** "two" after "twenty", which may have its sign already. */
function addedUnit(tens: string, { raw, token }: Word): string | null {
  return /^\p{L}+$/u.test(raw) && /^[1-9](?:st|nd|rd|th)?$/.test(token) && tens.endsWith("0")
    ? tens.slice(0, -1) + token
    : null;
}

/** Words that compare or sign the number that follows them, the longest first. */
const SIGNS_IN_WORDS: ReadonlyMap<string, string> = new Map(
  (
    [
      ["<", "less than|fewer than|smaller than|lower than|shorter than|below|under"],
      [">", "more than|greater than|larger than|higher than|longer than|above|over|exceeding|exceeds|beyond"],
      ["≤", "no more than|not more than|no greater than|not greater than|no larger than|at most|up to|not exceeding"],
      ["≤", "less than or equal to|smaller than or equal to|lower than or equal to"],
      ["≥", "no less than|not less than|no fewer than|not fewer than|no smaller than|at least"],
      ["≥", "greater than or equal to|more than or equal to|larger than or equal to|higher than or equal to"],
      ["-", "minus|negative"],
    ] as const
  ).flatMap(([sign, phrases]) => phrases.split("|").map((phrase) => [phrase, sign] as const)),
);
const LONGEST = 5;

function withSign(cleaned: string, before: readonly Word[], word: Word): Word {
  for (let count = Math.min(LONGEST, before.length); count > 0; count--) {
    const said = before.slice(-count);
    const sign = SIGNS_IN_WORDS.get(said.map(({ token }) => token).join(" "));
    const start = said[0]!.start;
    if (sign === undefined || !/^[\p{L}\s]+$/u.test(cleaned.slice(start, word.start))) continue;
    if (sign === "-" && word.token.startsWith("-")) continue;
    const token = sign === "-" ? negative(word.token) : sign + word.token;
    return { token, raw: cleaned.slice(start, word.end), start, end: word.end };
  }
  return word;
}
