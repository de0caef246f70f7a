/**
 * Text out of tokens one by one. What is given is never taken back: a character whose bytes have not all come is held, and
 * the pieces put together are the text of all tokens.
 */

export interface TextStream {
  /** What a further token adds; may be empty. */
  push(tokenId: number): string;
  /** What was held, once no token follows: bytes that are no character give U+FFFD. */
  end(): string;
}

/** Tokens that are decoded again with each new one at most, where characters end between them. */
const WINDOW = 32;
const CUT = "\uFFFD";

export function openTextStream(decode: (ids: readonly number[]) => string): TextStream {
  let ids: number[] = [];
  /** Characters of the window's text that were given. */
  let given = 0;
  /** Where the tokens of the window last ended with a whole character. */
  let whole = 0;
  const give = (text: string): string => {
    const added = text.slice(given);
    given = Math.max(given, text.length);
    return added;
  };
  return {
    push(tokenId) {
      ids.push(tokenId);
      const text = decode(ids);
      if (text.endsWith(CUT)) return give(text.slice(0, -1)); // the next token may make a character of it
      const added = give(text);
      if (ids.length > WINDOW && whole > 0) {
        // Some tokens stay in front: decoders treat the first of a text in their own way.
        ids = ids.slice(whole);
        given = decode(ids).length;
      }
      whole = ids.length;
      return added;
    },
    end: () => give(decode(ids)),
  };
}
