/** A trial answer: the thought is closed after a sentence, the answer opened, and the model asked what it would say. */
import { ANSWER_OPEN, THINK_CLOSE } from "../answers/tags.ts";
import type { Processor } from "../core/processor.ts";
import type { Prompt } from "../core/records.ts";
import type { Policy } from "../engine/engine.ts";
import { type ConfidenceScore, normalisedEntropy, optionShares } from "./confidence.ts";

export type ThoughtProcessor = Pick<Processor, "decode" | "encodeCompletion" | "stopTokenIds">;

/** When a thought may end early. */
export interface StopOptions {
  /** By the confidence in a trial answer; or by the options of a question that has them, else by the confidence. */
  readonly stop: "confidence" | "options";
  /** Confidence above which the thought ends; for options 1 less the normalised entropy. */
  readonly threshold: number;
  /** Sentences that are thought in any case. */
  readonly minSentences: number;
  readonly score: ConfidenceScore;
}

/** Tokens of a trial answer at most (METHODS' 8; DEER has 20). */
export const TRIAL_TOKENS = 8;

/** How answers are decoded behind a thought that was ended. */
export const greedyAnswer = { numGenerations: 1, temperature: 0, topP: 1, seed: 0 } as const;

/** A prompt that goes on to an answer after the first tokens of a completion. */
export interface AnswerPrompt {
  readonly prompt: Prompt;
  /** Tokens of the completion that stay as they were sampled. */
  readonly kept: number;
  /** Tokens in place of the next one: its text, the thought's end and the answer's beginning, as the model would write them. */
  readonly inducer: Int32Array;
  /** Tokens that the completion's length leaves for the answer; below 1 there is no trial. */
  readonly room: number;
}

/** The prompt after all but the last of the thought's tokens, in a completion of at most `length` tokens. */
export function answerPrompt(
  prompt: Prompt,
  tokenIds: readonly number[],
  length: number,
  processor: ThoughtProcessor,
): AnswerPrompt {
  const kept = tokenIds.slice(0, -1);
  const last = processor.decode(tokenIds).slice(processor.decode(kept).length).trimEnd();
  // Together with the thought's last token: "." and "</think>" share a token in most vocabularies.
  const inducer = textTokens(`${last}${THINK_CLOSE}${ANSWER_OPEN}`, processor);
  const ids = Int32Array.from([...prompt.tokenIds, ...kept, ...inducer]);
  const room = length - kept.length - inducer.length;
  return { prompt: { ...prompt, tokenIds: ids }, kept: kept.length, inducer, room };
}

/** The tokens of a text without the end of a turn. */
export function textTokens(text: string, { encodeCompletion, stopTokenIds }: ThoughtProcessor): Int32Array {
  const ids = encodeCompletion(text);
  let end = ids.length;
  while (end > 0 && stopTokenIds.includes(ids[end - 1]!)) end--;
  return ids.slice(0, end);
}

/** 1 less the normalised entropy over the options, each in its likeliest spelling; and the tokens that were scored. */
export async function optionConfidence(
  { prompt }: AnswerPrompt,
  options: readonly string[],
  policy: Pick<Policy, "logProbs">,
  processor: ThoughtProcessor,
): Promise<{ readonly confidence: number; readonly tokens: number }> {
  const spellings = options.map((option) => [...new Set([option, option[0]!.toUpperCase() + option.slice(1)])]);
  const texts = spellings.flat().map((text) => textTokens(text, processor));
  const completions = texts.map((tokenIds) => ({ tokenIds, weight: 0, advantage: 0 }));
  const whole = { temperature: 1, topP: 1, topK: 0 };
  const { logProbs } = await policy.logProbs([{ prompt, completions }], whole);
  const sums = logProbs.map((own) => own.reduce((sum, value) => sum + value, 0));
  let next = 0;
  const best = spellings.map((own) => Math.max(...own.map(() => sums[next++]!)));
  const tokens = texts.reduce((sum, { length }) => sum + length, 0);
  return { confidence: 1 - normalisedEntropy(optionShares(best)), tokens };
}
