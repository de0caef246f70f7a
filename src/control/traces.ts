/**
 * What a model would have answered after each sentence of its thoughts: every threshold and every fixed length can be read
 * off one trace, so that a threshold is chosen at the price of one evaluation with all trials.
 */
import { opensThought } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Completion, Prompt, SamplingOptions } from "../core/records.ts";
import type { Policy } from "../engine/engine.ts";
import { type ConfidenceScore, confidenceScores } from "./confidence.ts";
import { sentenceEnds } from "./sentences.ts";
import {
  type AnswerPrompt,
  answerPrompt,
  greedyAnswer,
  optionConfidence,
  type StopOptions,
  type ThoughtProcessor,
  TRIAL_TOKENS,
} from "./trial.ts";

/** The trial after one sentence. */
export interface TracedTrial {
  readonly confidence: Readonly<Record<ConfidenceScore, number>>;
  /** Of a question with options: 1 less the normalised entropy, and the tokens that were scored for it. */
  readonly options: { readonly confidence: number; readonly tokens: number } | null;
  /** The whole completion with the thought ended here, and its tokens. */
  readonly text: string;
  readonly tokens: number;
  /** Tokens of the answer among them. */
  readonly answerTokens: number;
  readonly finishReason: Completion["finishReason"];
}

export interface ThoughtTrace {
  readonly full: Pick<Completion, "text" | "finishReason"> & { readonly tokens: number };
  /** One per sentence, in order. */
  readonly trials: readonly TracedTrial[];
}

/** A completion as some rule would have ended it. */
export interface StoppedOutcome {
  readonly text: string;
  readonly tokens: number;
  readonly finishReason: Completion["finishReason"];
  /** Sentences after which it was ended; null: the thought went to its own end. */
  readonly sentences: number | null;
  /** Sampled or scored for trials beside the completion's own. */
  readonly trialTokens: number;
}

/** Prompts that are traced together; bounds memory. */
const CHUNK = 32;

/** The thoughts of one completion of each prompt, in the prompts' order. */
export async function traceThoughts(
  policy: Pick<Policy, "sample" | "logProbs">,
  processor: ThoughtProcessor,
  prompts: readonly Prompt[],
  sampling: SamplingOptions,
  onProgress: (done: number) => void = () => {},
): Promise<readonly ThoughtTrace[]> {
  if (sampling.numGenerations !== 1) throw new UserError("stop: one completion of each question is traced");
  const traces: ThoughtTrace[] = [];
  for (let start = 0; start < prompts.length; start += CHUNK) {
    const some = prompts.slice(start, start + CHUNK);
    const full = await sampled(policy, some, sampling);
    const asked = full.map(({ tokenIds }, i) => {
      const ids = [...tokenIds];
      const ends = sentenceEnds(ids, processor.decode, opensThought(some[i]!.text));
      const all = ends.map((at) => answerPrompt(some[i]!, ids.slice(0, at), sampling.maxCompletionLength, processor));
      return all.filter(({ room }) => room > 0);
    });
    const answers = await sampled(
      policy,
      asked.flat().map(({ prompt }) => prompt),
      { ...sampling, ...greedyAnswer, topK: 0, maxCompletionLength: sampling.maxCompletionLength },
    );
    let next = 0;
    for (const [i, own] of asked.entries()) {
      const { text, finishReason, tokenIds } = full[i]!;
      const trials: TracedTrial[] = [];
      for (const one of own) {
        const answer = answers[next++]!;
        const options = some[i]!.options ?? null;
        trials.push({
          ...tracedAnswer(one, answer, tokenIds, processor),
          options: options === null ? null : await optionConfidence(one, options, policy, processor),
        });
      }
      traces.push({ full: { text, finishReason, tokens: tokenIds.length }, trials });
    }
    onProgress(traces.length);
  }
  return traces;
}

/** The completion as `o` ends it; equal to what `stoppedDecode` gives. */
export function stoppedBy({ full, trials }: ThoughtTrace, o: StopOptions): StoppedOutcome {
  let trialTokens = 0;
  for (const [i, trial] of trials.entries()) {
    if (i + 1 < o.minSentences) continue;
    const byOptions = o.stop === "options" && trial.options !== null;
    const { confidence, tokens } = byOptions
      ? trial.options!
      : { confidence: trial.confidence[o.score], tokens: Math.min(TRIAL_TOKENS, trial.answerTokens) };
    const isAnswer = !byOptions && trial.answerTokens <= TRIAL_TOKENS;
    if (confidence > o.threshold) return outcome(trial, i + 1, trialTokens + (isAnswer ? 0 : tokens));
    trialTokens += tokens;
  }
  return { ...full, sentences: null, trialTokens };
}

/** The completion ended after so many sentences, whatever the confidence: no trial is needed for it. */
export function stoppedAt({ full, trials }: ThoughtTrace, sentences: number): StoppedOutcome {
  const trial = trials[sentences - 1];
  return trial === undefined ? { ...full, sentences: null, trialTokens: 0 } : outcome(trial, sentences, 0);
}

function outcome({ text, tokens, finishReason }: TracedTrial, sentences: number, trialTokens: number): StoppedOutcome {
  return { text, tokens, finishReason, sentences, trialTokens };
}

/** The answer as far as the completion's length leaves room for it. */
function tracedAnswer(
  asked: AnswerPrompt,
  answer: Completion,
  thought: Int32Array,
  processor: ThoughtProcessor,
): Omit<TracedTrial, "options"> {
  const ids = answer.tokenIds.slice(0, asked.room);
  const whole = Int32Array.from([...thought.slice(0, asked.kept), ...asked.inducer, ...ids]);
  const logProbs = Array.from(answer.logProbs.slice(0, Math.min(asked.room, TRIAL_TOKENS)));
  const scores = Object.entries(confidenceScores).map(([name, score]) => [name, score(logProbs)] as const);
  return {
    confidence: Object.fromEntries(scores) as Record<ConfidenceScore, number>,
    text: processor.decode(whole),
    tokens: whole.length,
    answerTokens: ids.length,
    finishReason: ids.length < answer.tokenIds.length ? "length" : answer.finishReason,
  };
}

async function sampled(policy: Pick<Policy, "sample">, prompts: readonly Prompt[], o: SamplingOptions) {
  const completions = new Array<Completion>(prompts.length);
  if (prompts.length === 0) return completions;
  for await (const { index, completions: own } of policy.sample(prompts, o)) completions[index] = own[0]!;
  return completions;
}
