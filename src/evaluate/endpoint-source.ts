/**
 * Answers from a model behind a chat endpoint: a bounded number of concurrent requests, each answer reported as it
 * arrives.
 */
import { type PromptStyle, questionMessages, type Shots } from "../answers/prompts.ts";
import { withoutSpecialTokens } from "../answers/special-tokens.ts";
import { UserError } from "../core/errors.ts";
import { randomKey, uint32 } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { type ChatClient, type ChatReply, EndpointError } from "../io/chat-client.ts";
import type { AnswerSource, Decoding } from "./index.ts";

/** After this many consecutive failures, the server is assumed to be down. */
const FAILURES_IN_A_ROW = 20;

/**
 * Each answer is a separate request; sampled answers have a seed that depends only on example and number. viva cannot
 * guarantee that a server honours the seed. Throws UserError for a prompt that chat endpoints do not support.
 */
export function endpointSource(
  client: ChatClient,
  o: {
    readonly prompt: PromptStyle;
    readonly decoding: Decoding;
    readonly concurrency: number;
    /** Solved examples before each question; none by default. */
    readonly shots?: (example: Example) => Shots;
  },
): AnswerSource {
  const { prompt, decoding, concurrency } = o;
  if (prompt.template === "transcript" || prompt.assistant_prefix) {
    throw new UserError(
      "a chat endpoint writes the assistant's turn itself: choose a prompt without a transcript or a prefix",
    );
  }
  const ask = async (example: Example, generation: number, signal: AbortSignal) => {
    const body = await client.body(
      questionMessages(example, prompt, o.shots?.(example)),
      samplingOf(decoding, example, generation),
    );
    return client.send(body, signal);
  };
  return {
    style: prompt.style,
    decoding,
    opensThought: async () => false,
    async answer(examples, wanted, { onAnswer, onFailure, signal }) {
      const stop = new AbortController();
      const stopped = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
      const queue = wanted
        .flatMap(({ index, generations }) => generations.map((generation) => ({ index, generation })))
        .values();
      let inARow = 0;
      const work = async () => {
        for (const { index, generation } of queue) {
          stopped.throwIfAborted();
          try {
            onAnswer(index, generation, predictionOf(await ask(examples[index]!, generation, stopped)));
            inARow = 0;
          } catch (error) {
            if (!(error instanceof EndpointError) || error.hopeless || ++inARow >= FAILURES_IN_A_ROW) throw error;
            onFailure(index, generation, error.reason, error.detail);
          }
        }
      };
      const workers = Array.from({ length: concurrency }, () =>
        work().catch((error: unknown) => {
          stop.abort(error); // the first reason is kept
          throw error;
        }),
      );
      await Promise.allSettled(workers);
      signal?.throwIfAborted();
      stop.signal.throwIfAborted();
    },
  };
}

function samplingOf(decoding: Decoding, { id }: Example, generation: number) {
  const { temperature, top_p, top_k, seed, max_completion_length } = decoding;
  return {
    maxTokens: max_completion_length,
    temperature,
    ...(top_p === 1 ? {} : { topP: top_p }),
    ...(top_k === 0 ? {} : { topK: top_k }),
    ...(seed === null ? {} : { seed: uint32(randomKey(seed, "endpoint", id, generation), 0) >>> 1 }),
  };
}

function predictionOf({ text, tokens, finishReason }: ChatReply) {
  return {
    text: withoutSpecialTokens(text),
    ...(tokens === null ? {} : { tokens }),
    ...(finishReason === null ? {} : { finishReason }),
  };
}
