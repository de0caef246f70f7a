/** The words of a text with their places in it and their singular forms, cut into sentences; linear in the text. */
import { clean, words } from "../normalise.ts";

export interface Token {
  /** Lower case, as compared with triggers. */
  readonly word: string;
  /** The singular, as compared with terms. */
  readonly stem: string;
  /** As written; abbreviations are told from words by it. */
  readonly raw: string;
  /** UTF-16 offsets in the text. */
  readonly start: number;
  readonly end: number;
  /** A comma, bracket or colon stands before it. */
  readonly afterComma: boolean;
}

/** Words of a text, sentence by sentence. */
export function sentences(text: string): readonly (readonly Token[])[] {
  const all: Token[][] = [];
  let current: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(WORD)) {
    const gap = text.slice(end, match.index);
    if (gap !== " " && current.length > 0 && endsSentence(gap, match[0])) {
      all.push(current);
      current = [];
    }
    end = match.index + match[0].length;
    const afterComma = gap !== " " && /[,(:[–—]/.test(gap);
    for (const [i, word] of wordsOf(match[0]).entries()) {
      current.push({ ...word, start: match.index, end, afterComma: afterComma && i === 0 });
    }
  }
  if (current.length > 0) all.push(current);
  return all;
}

/** The singular of an English word, by its ending; words of up to three letters stay. */
export function singular(word: string): string {
  if (word.length <= 3 || /(?:ss|us|is)$/.test(word)) return word;
  if (/tases$|oses$/.test(word)) return `${word.slice(0, -2)}is`;
  if (/ies$/.test(word)) return `${word.slice(0, -3)}y`;
  if (/(?:sses|xes|ches|shes)$/.test(word)) return word.slice(0, -2);
  return word.endsWith("s") ? word.slice(0, -1) : word;
}

/** A run of letters and digits with what may hide inside it: apostrophes, accents, invisible characters. */
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}'‘’ʼ]*/gu;

/** "Isn't" is two words, "½" too; an invisible character is none. */
function wordsOf(piece: string): Pick<Token, "word" | "stem" | "raw">[] {
  if (/^[A-Za-z]+$/.test(piece)) {
    const word = piece.toLowerCase(); // most words need no cleaning, which would take most of the time
    return [{ word, stem: singular(word), raw: piece }];
  }
  return words(clean(piece)).flatMap(({ token, raw }) => {
    const denied = /^(.+)n't$/i.exec(raw);
    const parts = denied === null ? [token] : [denied[1]!.toLowerCase(), "not"];
    return parts.map((word) => ({ word, stem: singular(word), raw }));
  });
}

/** Full stops between digits end nothing; a single line break does only before a capital or a list sign. */
function endsSentence(gap: string, next: string): boolean {
  if (/[!?;]|\n\s*\n/.test(gap)) return true;
  if (gap.includes(".") && !(gap === "." && /^\d/.test(next))) return true;
  return gap.includes("\n") && (/[-*•]/.test(gap) || /^[\p{Lu}\d]/u.test(next));
}
