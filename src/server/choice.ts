/** One choice of a completion as it grows: tokens to text, log-probs and the reason it ended, cut at stop strings. */
import type { LiveToken } from "../engine/engine.ts";
import { openStopScan } from "./stop-scan.ts";
import { openTextStream } from "./text-stream.ts";

/** A token's log-prob as the OpenAI API gives it. */
export interface TokenLogProb {
  readonly token: string;
  readonly logprob: number;
  /** UTF-8 of the token; null for a part of a character. */
  readonly bytes: readonly number[] | null;
  readonly top_logprobs: readonly [];
}

/** What a token adds to a choice. */
export interface ChoiceDelta {
  readonly text: string;
  /** Of the tokens whose text has begun to be given; the stop token and what a stop string cuts off have none. */
  readonly logprobs: readonly TokenLogProb[];
  /** In place of text: the choice ends with it. */
  readonly toolCall?: ToolCallText;
  readonly finishReason: "stop" | "length" | "tool_calls" | null;
}

/** A call as the OpenAI API has it: the arguments are JSON in a text. */
export interface ToolCallText {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

export interface Choice {
  push(token: LiveToken): ChoiceDelta;
}

export interface ChoiceOptions {
  readonly stop: readonly string[];
  readonly logprobs: boolean;
}

export function openChoice(decode: (ids: readonly number[]) => string, o: ChoiceOptions): Choice {
  const stream = openTextStream(decode);
  const scan = openStopScan(o.stop);
  let decoded = 0;
  let given = 0;
  let pending: { readonly start: number; readonly entry: TokenLogProb }[] = [];
  const give = (text: string, finishReason: ChoiceDelta["finishReason"], all: boolean): ChoiceDelta => {
    given += text.length;
    const ready = pending.filter(({ start }) => all || start < given);
    pending = pending.filter(({ start }) => !all && start >= given);
    return { text, logprobs: ready.map(({ entry }) => entry), finishReason };
  };
  return {
    push({ tokenId, logProb, finishReason }) {
      let added = "";
      if (finishReason !== "stop") {
        if (o.logprobs) pending.push({ start: decoded, entry: entryOf(decode([tokenId]), logProb) });
        added = stream.push(tokenId);
      }
      if (finishReason !== null) added += stream.end();
      decoded += added.length;
      const { text, stopped } = scan.push(added);
      if (stopped) return give(text, "stop", false);
      return finishReason === null ? give(text, null, false) : give(text + scan.end(), finishReason, true);
    },
  };
}

function entryOf(token: string, logprob: number): TokenLogProb {
  const bytes = token.includes("\uFFFD") ? null : [...Buffer.from(token, "utf8")];
  return { token, logprob, bytes, top_logprobs: [] };
}
