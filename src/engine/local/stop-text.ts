/**
 * A text that ends a completion, as a table over tokens: the worker that samples has no tokenizer. Tokens match however they
 * cut the text; the one that completes it may go on behind it.
 */

/** [length x vocabulary]: how much of the text is matched after a token, by how much was before; `length` is all. */
export interface StopText {
  readonly length: number;
  readonly next: Uint8Array;
}

/** `decode` gives a token's own text. The text has at most 254 characters, all in ASCII. */
export function stopTextOf(text: string, vocabulary: number, decode: (id: number) => string): StopText {
  const { length } = text;
  const next = new Uint8Array(length * vocabulary);
  for (let id = 0; id < vocabulary; id++) {
    const piece = decode(id);
    for (let before = 0; before < length; before++) next[before * vocabulary + id] = matchedAfter(text, before, piece);
  }
  return { length, next };
}

export function matchedWith({ length, next }: StopText, before: number, token: number): number {
  return next[before * (next.length / length) + token]!;
}

/** The longest beginning of the text that what was matched, followed by the piece, ends in; all of it wherever it ends. */
function matchedAfter(text: string, before: number, piece: string): number {
  const seen = text.slice(0, before) + piece;
  if (seen.includes(text)) return text.length;
  for (let size = Math.min(seen.length, text.length - 1); size > 0; size--) {
    if (seen.endsWith(text.slice(0, size))) return size;
  }
  return 0;
}
