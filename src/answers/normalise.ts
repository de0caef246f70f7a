/**
 * The one normalisation behind every comparison of answers: Unicode NFKC, no invisible characters, lower case, no
 * punctuation, no articles, number words zero to twenty as digits, numbers in one spelling, single blanks.
 */

/** One word of a cleaned text: what it is compared as, and where it stands. */
export interface Word {
  readonly token: string;
  /** As written. */
  readonly raw: string;
  readonly start: number;
  readonly end: number;
}

/** NFKC without invisible (format) characters, with plain apostrophes: the text that word offsets refer to. */
export function clean(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/\p{Cf}+/gu, "")
    .replace(/[‘’ʼ]/g, "'");
}

/**
 * The words of a cleaned text. Kept: letters and digits, "<5" and ">5" (the sign is a word), a minus before a number,
 * decimal points, ordinals ("4th"), "%" as "percent". Dropped: all other signs; apostrophes join ("patient's" is
 * "patients"); a hyphen parts ("x-ray" is "x ray"); a unit parts from its number ("5cm" is "5 cm").
 */
export function words(cleaned: string): Word[] {
  return Array.from(cleaned.matchAll(WORD), (match) => {
    const raw = match[0];
    return { token: tokenOf(raw), raw, start: match.index, end: match.index + raw.length };
  });
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

/** Whether a token is an article; a final "a" ("hepatitis A") is not. */
export function isArticle(token: string, last: boolean): boolean {
  return token === "the" || token === "an" || (token === "a" && !last);
}

const WORD =
  /[<>≤≥](?=\s?\d)|\d+(?:st|nd|rd|th)(?![\p{L}\p{N}])|(?:(?<![\p{L}\p{N}])-)?\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|[\p{L}\p{N}\p{M}]+(?:'\p{L}+)*|%/giu;

const NUMBER_WORDS: ReadonlyMap<string, string> = new Map(
  (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
    "seventeen eighteen nineteen twenty"
  )
    .split(" ")
    .map((word, i) => [word, String(i)]),
);

function tokenOf(raw: string): string {
  if (raw === "%") return "percent";
  const lower = raw.toLowerCase().replaceAll("'", "");
  if (/^-?\d[\d,]*(?:\.\d+)?$/.test(lower)) return plainNumber(lower.replaceAll(",", ""));
  return NUMBER_WORDS.get(lower) ?? lower;
}

/** "02", "2.0" and "2" are one number; digits beyond what a double holds are kept. */
function plainNumber(digits: string): string {
  const [whole = "", fraction = ""] = digits.replace("-", "").split(".");
  let end = fraction.length;
  while (end > 0 && fraction[end - 1] === "0") end--;
  const value = whole.replace(/^0+(?=\d)/, "") + (end > 0 ? `.${fraction.slice(0, end)}` : "");
  return digits.startsWith("-") && value !== "0" ? `-${value}` : value;
}
