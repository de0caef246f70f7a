/** Where the sentences of a thought end while it is written, token by token (the rule is ours). */
import { THINK_CLOSE, THINK_OPEN } from "../answers/tags.ts";

export interface SentenceScan {
  /**
   * Reads one more token; the number of tokens up to the end of a sentence that it shows, else null. A sentence of a thought
   * ends with ".", "!" or "?" before white space, with a full-width one, or with a line.
   */
  push(tokenId: number): number | null;
}

const CLOSED = /(?:[.!?…]["'”’)\]]*|[。！？])$/u;
/** What a token itself ends, as ".\n" does. */
const ENDED = /(?:[.!?…]["'”’)\]]*\s|\S\s*\n)\s*$/u;

/** `opened`: the prompt ends in an opened thought. */
export function openSentenceScan(decode: (ids: ArrayLike<number>) => string, opened: boolean): SentenceScan {
  const ids: number[] = [];
  let before = "";
  let counted = 0;
  const isThought = (text: string) => {
    const open = opened ? 0 : text.indexOf(THINK_OPEN) + THINK_OPEN.length;
    return (opened || text.includes(THINK_OPEN)) && !text.includes(THINK_CLOSE) && text.slice(open).trim() !== "";
  };
  const end = (tokens: number, text: string) => {
    if (tokens <= counted || !isThought(text)) return null;
    counted = tokens;
    return tokens;
  };
  return {
    push(tokenId) {
      ids.push(tokenId);
      const text = decode(ids);
      const added = text.slice(before.length);
      const previous = before;
      before = text;
      if (/^\s/.test(added) && CLOSED.test(previous)) return end(ids.length - 1, previous);
      if (/^\s*\n/.test(added) && /\S$/.test(previous)) return end(ids.length - 1, previous);
      return ENDED.test(added) ? end(ids.length, text) : null;
    },
  };
}

/** The number of tokens up to the end of each sentence of a whole thought. */
export function sentenceEnds(
  tokenIds: ArrayLike<number>,
  decode: (ids: ArrayLike<number>) => string,
  opened: boolean,
): readonly number[] {
  const scan = openSentenceScan(decode, opened);
  return Array.from(tokenIds).flatMap((id) => scan.push(id) ?? []);
}
