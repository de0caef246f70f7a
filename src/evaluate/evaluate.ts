/** Evaluates a policy on examples: one greedy completion each, scored item by item, beside the baselines. */
import { encodeQuestion, opensThought, type PromptStyle } from "../answers/prompts.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import type { Policy } from "../engine/engine.ts";
import { type Baselines, trainBaselines } from "./baselines.ts";
import { type EvalItem, type Prediction, scoreBaselines, scoreItems } from "./score.ts";
import { type EvalSummary, summarise } from "./summary.ts";

export interface EvaluationOptions {
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  readonly maxCompletionLength: number;
  /** Names the checkpoint in every item. */
  readonly checkpoint: string;
  /** Training examples that the baselines count; without them no baseline is given. */
  readonly train: readonly Example[] | null;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  readonly items: readonly EvalItem[];
  readonly summary: EvalSummary;
}

/** Prompts that are encoded and sampled together: bounds memory, and gives progress. */
const CHUNK = 128;

export async function evaluatePolicy(
  policy: Pick<Policy, "sample">,
  examples: readonly Example[],
  o: EvaluationOptions,
): Promise<Evaluation> {
  const predictions: Prediction[] = [];
  let thinkOpened = false;
  for (let start = 0; start < examples.length; start += CHUNK) {
    o.signal?.throwIfAborted();
    const chunk = examples.slice(start, start + CHUNK);
    const prompts = await Promise.all(chunk.map((example) => encodeQuestion(o.processor, example, o.prompt)));
    thinkOpened = prompts.some(({ text }) => opensThought(text)); // one template made them all
    const greedy = { numGenerations: 1, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 };
    for await (const result of policy.sample(prompts, { ...greedy, maxCompletionLength: o.maxCompletionLength })) {
      const { text, tokenIds, finishReason } = result.completions[0]!;
      predictions[start + result.index] = { text, tokens: tokenIds.length, finishReason };
      o.onProgress?.(Object.keys(predictions).length, examples.length);
    }
  }
  const items = scoreItems(examples, predictions, { style: o.prompt.style, thinkOpened, checkpoint: o.checkpoint });
  const baselines: Baselines | null = o.train === null ? null : trainBaselines(o.train);
  return { items, summary: summarise(items, baselines === null ? {} : scoreBaselines(examples, baselines)) };
}
