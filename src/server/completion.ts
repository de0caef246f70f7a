/** Bodies of chat completions as the OpenAI API has them: whole, or in chunks of a stream. */
import type { ChoiceDelta, TokenLogProb, ToolCallText } from "./choice.ts";

/** What all parts of an answer share. */
export interface CompletionHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

export interface Usage {
  readonly prompt_tokens: number;
  /** Of all choices, with stop tokens and what stop strings cut off: all that was computed. */
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** A choice's text, log-probs and end, put together from its deltas. */
export interface WholeChoice {
  readonly text: string;
  readonly logprobs: readonly TokenLogProb[];
  /** Null: the choice is text alone. */
  readonly toolCall: ToolCallText | null;
  readonly finishReason: "stop" | "length" | "tool_calls";
}

export function completionBody(
  head: CompletionHead,
  choices: readonly WholeChoice[],
  o: { readonly logprobs: boolean; readonly usage: Usage },
) {
  return {
    ...head,
    object: "chat.completion",
    choices: choices.map(({ text, logprobs, toolCall, finishReason }, index) => ({
      index,
      message: {
        ...{ role: "assistant", content: toolCall !== null && text === "" ? null : text, refusal: null },
        ...(toolCall === null ? {} : { tool_calls: [callBody(toolCall)] }),
      },
      logprobs: o.logprobs ? { content: logprobs, refusal: null } : null,
      finish_reason: finishReason,
    })),
    usage: o.usage,
  };
}

/** The first chunk of a choice, which says whose turn it is. */
export function openingChunk(head: CompletionHead, index: number) {
  return chunk(head, [
    { index, delta: { role: "assistant", content: "", refusal: null }, logprobs: null, finish_reason: null },
  ]);
}

export function deltaChunk(head: CompletionHead, index: number, delta: ChoiceDelta, logprobs: boolean) {
  const content = {
    ...(delta.text === "" ? {} : { content: delta.text }),
    ...(delta.toolCall === undefined ? {} : { tool_calls: [{ index: 0, ...callBody(delta.toolCall) }] }),
  };
  const own = logprobs && delta.logprobs.length > 0 ? { content: delta.logprobs, refusal: null } : null;
  return chunk(head, [{ index, delta: content, logprobs: own, finish_reason: delta.finishReason }]);
}

function callBody({ id, ...called }: ToolCallText) {
  return { id, type: "function", function: called };
}

/** The last chunk of a stream that was asked for its usage. */
export function usageChunk(head: CompletionHead, usage: Usage) {
  return { ...chunk(head, []), usage };
}

function chunk(head: CompletionHead, choices: readonly object[]) {
  return { ...head, object: "chat.completion.chunk", choices };
}

export function usageOf(promptTokens: number, completionTokens: number): Usage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
