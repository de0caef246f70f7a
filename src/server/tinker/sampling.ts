/** One request for samples: draws them with everybody else's, ends them at what the request names, scores its prompt. */
import { UserError } from "../../core/errors.ts";
import type { Processor } from "../../core/processor.ts";
import type { Prompt } from "../../core/records.ts";
import type { TrainingEngine } from "../../engine/engine.ts";
import type { requests, SampledSequence, SampleResponse } from "../../tinker/index.ts";
import { openStopScan } from "../stop-scan.ts";
import { openTextStream } from "../text-stream.ts";
import { scoring, withoutMarks } from "./losses.ts";

export interface SampleOptions {
  readonly request: Pick<
    requests.SampleRequest,
    "num_samples" | "sampling_params" | "prompt_logprobs" | "prompt_logprobs_last_n"
  >;
  readonly prompt: Prompt;
  /** Used where the request has none. */
  readonly seed: number;
  /** Of a sample for which the request names no length. */
  readonly maxCompletionLength: number;
  /** Aborted when nobody wants the samples any more. */
  readonly signal: AbortSignal;
}

export async function drawSamples(
  engine: Pick<TrainingEngine, "policy" | "decode" | "contextLength">,
  processor: Pick<Processor, "decode">,
  o: SampleOptions,
): Promise<SampleResponse> {
  const sequences = await draw(engine, processor, o);
  o.signal.throwIfAborted();
  const { prompt_logprobs: asked, prompt_logprobs_last_n: last } = o.request;
  return { sequences, promptLogProbs: asked === true ? await promptLogProbs(engine, o.prompt, last ?? null) : null };
}

async function draw(
  { decode, contextLength }: Pick<TrainingEngine, "decode" | "contextLength">,
  processor: Pick<Processor, "decode">,
  { request, prompt, seed, maxCompletionLength, signal }: SampleOptions,
): Promise<readonly SampledSequence[]> {
  const { num_samples: n, sampling_params: params } = request;
  const room = contextLength - prompt.tokenIds.length;
  const length = params.max_tokens ?? Math.min(maxCompletionLength, room);
  if (length > room || length < 1) {
    throw new UserError(
      `the prompt has ${prompt.tokenIds.length} tokens: ${length} more do not fit the context of ${contextLength}`,
    );
  }
  const stop = stopOf(params.stop ?? null);
  const live = decode!(prompt, {
    numGenerations: n,
    maxCompletionLength: length,
    temperature: params.temperature,
    topP: params.top_p,
    seed: params.seed ?? seed,
    ...(stop.tokens === null ? {} : { stopTokenIds: stop.tokens }),
  });
  const onAbort = () => live.giveUp();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const samples = Array.from({ length: n }, () => openSample(stop.texts, (ids) => processor.decode(ids)));
  try {
    for await (const token of live.tokens) {
      const sample = samples[token.completion]!;
      if (sample.ended()) continue;
      sample.push(token);
      if (sample.ended() && token.finishReason === null) live.giveUp(token.completion);
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  signal.throwIfAborted();
  return samples.map((sample) => sample.sequence());
}

interface Drawn {
  readonly tokenId: number;
  readonly logProb: number;
  readonly finishReason: "stop" | "length" | null;
}

/** A sample as it grows; with stop texts it ends with the token that completes one of them. */
function openSample(texts: readonly string[], decode: (ids: readonly number[]) => string) {
  const tokens: number[] = [];
  const logProbs: number[] = [];
  const text = openTextStream(decode);
  const scan = openStopScan(texts);
  let stopReason: "stop" | "length" | null = null;
  return {
    ended: () => stopReason !== null,
    push({ tokenId, logProb, finishReason }: Drawn) {
      tokens.push(tokenId);
      logProbs.push(logProb);
      stopReason = finishReason;
      if (texts.length > 0 && finishReason !== "stop" && scan.push(text.push(tokenId)).stopped) stopReason = "stop";
    },
    sequence(): SampledSequence {
      if (!logProbs.every(Number.isFinite)) {
        throw new UserError("the weights are so large that their numbers overflow: sample from an earlier checkpoint");
      }
      return { stopReason: stopReason!, tokens: Int32Array.from(tokens), logProbs: Float32Array.from(logProbs) };
    },
  };
}

/** Token ids replace the model's own stop tokens; texts are looked for beside them. */
function stopOf(stop: string | readonly string[] | readonly number[] | null): {
  readonly tokens: readonly number[] | null;
  readonly texts: readonly string[];
} {
  if (stop === null) return { tokens: null, texts: [] };
  const all = typeof stop === "string" ? [stop] : stop;
  const texts = all.filter((one) => typeof one === "string");
  return { tokens: texts.length > 0 ? null : all.filter((one) => typeof one === "number"), texts };
}

/** The log-prob of each token of a prompt after those before it: NaN for the first, and for all but the `last`. */
async function promptLogProbs(
  { policy }: Pick<TrainingEngine, "policy">,
  prompt: Prompt,
  last: number | null,
): Promise<Float32Array> {
  const { tokenIds } = prompt;
  const scores = new Float32Array(tokenIds.length).fill(Number.NaN);
  if (tokenIds.length < 2) return scores;
  const inPlace = { tokenIds: tokenIds.slice(1), weight: 0, advantage: 0 };
  const { logProbs } = await policy.logProbs([{ prompt, completions: [], inPlace }], scoring);
  scores.set(withoutMarks(logProbs[0]!), 1);
  return last === null ? scores : scores.fill(Number.NaN, 0, Math.max(1, tokenIds.length - last));
}
