/** Evaluates a policy on examples: one greedy completion each, scored item by item, beside the baselines. */
import { encodeQuestion, opensThought, type PromptStyle } from "../answers/prompts.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import type { Policy } from "../engine/engine.ts";
import { type Baselines, trainBaselines } from "./baselines.ts";
import type { ProtocolName } from "./protocols/index.ts";
import { summariseSampled } from "./sampled.ts";
import { type EvalItem, type Prediction, scoreBaselines, scoreItems } from "./score.ts";
import { type EvalSummary, summarise } from "./summary.ts";

/** What is known of answers, whoever gave them. */
export interface ScoringOptions {
  /** "viva" unless said otherwise. */
  readonly protocol?: ProtocolName;
  /** Names the checkpoint, or the file of answers, in every item. */
  readonly checkpoint: string;
  /** Training examples that the baselines count; without them no baseline is given. */
  readonly train: readonly Example[] | null;
}

export interface AnsweringOptions {
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  readonly maxCompletionLength: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export type EvaluationOptions = ScoringOptions & AnsweringOptions;

/** One or more predictions for each example, in the examples' order, and the form they were asked for. */
export interface Answers {
  readonly predictions: readonly (readonly Prediction[])[];
  readonly style: AnswerStyle;
  readonly thinkOpened: boolean;
}

export interface Evaluation {
  readonly items: readonly EvalItem[];
  readonly summary: EvalSummary;
}

/** Prompts that are encoded and sampled together: bounds memory, and gives progress. */
const CHUNK = 128;

/** Asks each question once and scores the answers under one protocol. */
export async function evaluatePolicy(
  policy: Pick<Policy, "sample">,
  examples: readonly Example[],
  o: EvaluationOptions,
): Promise<Evaluation> {
  return evaluateAnswers(examples, await answerQuestions(policy, examples, o), o);
}

/** The likeliest completion to each question. */
export async function answerQuestions(
  policy: Pick<Policy, "sample">,
  examples: readonly Example[],
  o: AnsweringOptions,
): Promise<Answers> {
  const predictions: Prediction[][] = [];
  let thinkOpened = false;
  for (let start = 0; start < examples.length; start += CHUNK) {
    o.signal?.throwIfAborted();
    const chunk = examples.slice(start, start + CHUNK);
    const prompts = await Promise.all(chunk.map((example) => encodeQuestion(o.processor, example, o.prompt)));
    thinkOpened = prompts.some(({ text }) => opensThought(text)); // one template made them all
    const greedy = { numGenerations: 1, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 };
    for await (const result of policy.sample(prompts, { ...greedy, maxCompletionLength: o.maxCompletionLength })) {
      const { text, tokenIds, finishReason } = result.completions[0]!;
      predictions[start + result.index] = [{ text, tokens: tokenIds.length, finishReason }];
      o.onProgress?.(Object.keys(predictions).length, examples.length);
    }
  }
  return { predictions, style: o.prompt.style, thinkOpened };
}

/** Scores answers under one protocol; of several answers to a question the first is the item, all count for pass@k. */
export function evaluateAnswers(examples: readonly Example[], answers: Answers, o: ScoringOptions): Evaluation {
  const { protocol = "viva" } = o;
  const { predictions, style, thinkOpened } = answers;
  const first = predictions.map(([prediction]) => prediction!);
  const items = scoreItems(examples, first, { protocol, style, thinkOpened, checkpoint: o.checkpoint });
  const baselines: Baselines | null = o.train === null ? null : trainBaselines(o.train);
  const summary = summarise(items, baselines === null ? {} : scoreBaselines(examples, baselines, protocol));
  const sampled = summariseSampled(examples, answers, protocol);
  return { items, summary: { ...summary, protocol, ...(sampled === null ? {} : { sampled }) } };
}
