/** Tokens that end a turn or pad a row, where a tool has left them at the end of a text: no part of what a model says. */

const SPECIAL =
  /(?:<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,40}｜>|<\/?s>|<(?:eos|bos|pad|unk|eot|eom|end_of_turn|start_of_turn|end_of_utterance)>|\[(?:EOS|BOS|PAD|SEP|CLS|UNK)\]|\[\/?INST\])$/i;

/** Where the text ends without the special tokens at its end and the blanks around them; linear in the text. */
export function contentEnd(text: string): number {
  let end = text.length;
  for (;;) {
    let last = end;
    while (last > 0 && /\s/.test(text[last - 1]!)) last--;
    const token = SPECIAL.exec(text.slice(Math.max(0, last - 50), last));
    if (token === null) return end;
    end = last - token[0].length;
  }
}

/** The text without the special tokens at its end. */
export function withoutSpecialTokens(text: string): string {
  return text.slice(0, contentEnd(text));
}
