/** Tokens of chat templates where a tool has left them in a text: no part of what a model says. */

const TOKEN =
  /(?:<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,40}｜>|<\/?s>|<(?:eos|bos|pad|unk|eot|eom|end_of_turn|start_of_turn|end_of_utterance)>|\[(?:EOS|BOS|PAD|SEP|CLS|UNK)\]|\[\/?INST\])/;
const LAST = new RegExp(`${TOKEN.source}$`, "i");
const LEADING = new RegExp(
  `^(?:\\s*(?!<\\|begin_of_(?:box|thought)\\|>)${TOKEN.source})+(?:\\s*assistant(?=[\\s<])(?:<\\|(?:end_header_id|message)\\|>)?)?`,
  "i",
);
/** An end of turn, and what another turn would add; a model's own next message is none. */
const TURN_END =
  /(?:<\|(?:im_end|eot_id|endoftext|end_of_text|end|eom_id|endofturn|return)\|>|<｜end▁of▁sentence｜>|<(?:end_of_turn|end_of_utterance|eos)>|<\/s>|\[EOS\]|<[|｜]user[|｜]>|<(?:\|im_start\||start_of_turn)>user\b)(?!\s*<\|start\|>assistant)/i;

/** Where the text begins behind the special tokens at its beginning, and "assistant" after them; 0 where there are none. */
export function contentStart(text: string): number {
  return LEADING.exec(text)?.[0].length ?? 0;
}

/** Where the first turn ends, without the special tokens at its end and the blanks around them; linear in the text. */
export function contentEnd(text: string): number {
  const start = contentStart(text);
  const turn = text.slice(start).search(TURN_END);
  let end = turn < 0 ? text.length : start + turn;
  for (;;) {
    let last = end;
    while (last > 0 && /\s/.test(text[last - 1]!)) last--;
    const token = LAST.exec(text.slice(Math.max(0, last - 50), last));
    if (token === null) return end;
    end = last - token[0].length;
  }
}

/** The first turn of a text without special tokens around it. */
export function withoutSpecialTokens(text: string): string {
  const end = contentEnd(text);
  return text.slice(Math.min(contentStart(text), end), end);
}
