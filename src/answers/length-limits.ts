/**
 * Limits of length, as a sentence in the prompt, that a given text keeps or breaks (for response-conditioned pairs, arXiv
 * 2502.00814; how limits are drawn and worded is ours). Words are counted by white space alone, here and where limits are checked.
 */
import { pick, type RandomKey, uniform } from "../core/random.ts";

/** A bound on the words of a text. */
export interface LengthLimit {
  readonly kind: "at_most" | "at_least";
  readonly words: number;
}

/** A shorter text is no use: every bound would be next to its own length. */
export const FEWEST_WORDS = 3;

const wordings: Readonly<Record<LengthLimit["kind"], readonly ((words: string) => string)[]>> = {
  at_most: [
    (words) => `Write at most ${words}.`,
    (words) => `Use no more than ${words}.`,
    (words) => `Keep your whole reply within ${words}.`,
    (words) => `Your reply must not be longer than ${words}.`,
    (words) => `Do not exceed ${words} in total.`,
    (words) => `Limit your reply to ${words}.`,
  ],
  at_least: [
    (words) => `Write at least ${words}.`,
    (words) => `Use no fewer than ${words}.`,
    (words) => `Make your whole reply ${words} or longer.`,
    (words) => `Your reply must not be shorter than ${words}.`,
    (words) => `Do not stay below ${words} in total.`,
    (words) => `Give a reply of ${words} or more.`,
  ],
};

export function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/** A limit that a text of so many words keeps, or breaks; `share` in (0, 1) says how far the bound lies from its length. */
export function limitFor(kind: LengthLimit["kind"], words: number, share: number, isKept: boolean): LengthLimit {
  const isAbove = (kind === "at_most") === isKept;
  return { kind, words: isAbove ? Math.ceil(words / share) : Math.floor(share * words) };
}

/** A limit that the text keeps, or breaks: either kind as likely, the share uniform in [0.4, 0.9). Null for texts below `FEWEST_WORDS`. */
export function drawLimit(text: string, isKept: boolean, key: RandomKey): LengthLimit | null {
  const words = countWords(text);
  if (words < FEWEST_WORDS) return null;
  return limitFor(uniform(key, 0) < 0.5 ? "at_most" : "at_least", words, 0.4 + 0.5 * uniform(key, 1), isKept);
}

/** The limit in words, one of several wordings. */
export function limitSentence({ kind, words }: LengthLimit, key: RandomKey): string {
  return pick(key, 2, wordings[kind])(words === 1 ? "1 word" : `${words} words`);
}
