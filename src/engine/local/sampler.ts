/** Samples completions of the given prompts under one distribution. */
import type { Params } from "../../compiler/tensor.ts";
import { randomKey } from "../../core/random.ts";
import type { Completion, Prompt, SamplingOptions, TokenStat } from "../../core/records.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { LiveToken } from "../engine.ts";
import type { Compute } from "./compute.ts";
import { Decoder } from "./decoder.ts";
import type { PrefixCache } from "./prefix-cache.ts";
import type { StopText } from "./stop-text.ts";
import type { EncodedImages } from "./vision-runner.ts";

export type SampledCompletion = Pick<Completion, "tokenIds" | "logProbs" | "finishReason" | "stats">;

export interface SampledGroup {
  readonly index: number;
  readonly completions: readonly SampledCompletion[];
}

export interface DecodeOptions extends SamplingOptions {
  readonly rows: number;
  readonly stopTokenIds: readonly number[];
  /** The stop text over tokens. */
  readonly stop?: StopText;
}

/** Time split of sampling, in seconds. */
export interface SamplingSeconds {
  /** Encoding the images. */
  readonly images: number;
  /** Prefill, including the first token of every completion. */
  readonly prompts: number;
  /** Decoding: all further tokens. */
  readonly tokens: number;
}

/**
 * Samples all prompts, given the features of their images; calls `onGroup` as soon as a prompt's completions are
 * finished. Returns the time split.
 */
export async function sampleCompletions(
  compute: Compute,
  values: Params<TensorData>,
  prompts: readonly Prompt[],
  features: EncodedImages["features"],
  o: DecodeOptions,
  onGroup: (group: SampledGroup) => void,
  prefixes?: PrefixCache,
): Promise<Omit<SamplingSeconds, "images">> {
  if (prompts.length === 0) return { prompts: 0, tokens: 0 };
  const longest = Math.max(...prompts.map((prompt) => prompt.tokenIds.length));
  const decoder = new Decoder(compute, async () => values, {
    rows: Math.min(o.rows, prompts.length * o.numGenerations),
    cacheBytes: Infinity,
    prompts: prompts.length,
    promptCapacity: longest,
    tokenStats: o.tokenStats ?? [],
    ...(prefixes === undefined ? {} : { prefixes }),
    encode: async () => features,
  });
  let failure: Error | null = null;
  for (const [index, prompt] of prompts.entries()) {
    const drawn = Array.from({ length: o.numGenerations }, (): LiveToken[] => []);
    const { draws, maxCompletionLength } = o.each?.[index] ?? { ...o, draws: [index] };
    decoder.add({
      ...o,
      maxCompletionLength,
      prompt,
      distribution: o,
      key: randomKey(o.seed, "sample", o.step, ...draws),
      onToken: (token) => drawn[token.completion]!.push(token),
      onEnd: (error) => {
        if (error === null) onGroup({ index, completions: drawn.map((tokens) => asCompletion(tokens, o.tokenStats)) });
        else failure ??= error;
      },
    });
  }
  while (!decoder.idle && failure === null) await decoder.advance();
  if (failure !== null) throw failure;
  return { ...decoder.seconds };
}

function asCompletion(tokens: readonly LiveToken[], asked: readonly TokenStat[] = []): SampledCompletion {
  const stats = asked.map((name) => [name, Float32Array.from(tokens, (token) => token.stats![name]!)] as const);
  return {
    tokenIds: Int32Array.from(tokens, ({ tokenId }) => tokenId),
    logProbs: Float32Array.from(tokens, ({ logProb }) => logProb),
    finishReason: tokens.at(-1)!.finishReason!,
    ...(asked.length === 0 ? {} : { stats: Object.fromEntries(stats) }),
  };
}
