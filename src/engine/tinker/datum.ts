/**
 * One prompt with one completion as a datum of the wire: the input is all tokens but the last, the targets are all but the
 * first, and every array is as long as the input, an image counting as its tokens. Nothing is learned of the prompt.
 */
import { RunError } from "../../core/errors.ts";
import type { Prompt } from "../../core/records.ts";
import type { Chunk, Datum } from "../../tinker/index.ts";

/** A completion in its place behind a prompt, with what multiplies the gradient of its tokens' log-probs. */
export interface WeighedCompletion {
  readonly prompt: Prompt;
  /** The prompt's. */
  readonly chunks: readonly Chunk[];
  readonly tokenIds: Int32Array;
  readonly gains: Float32Array;
  /** Against which the server's loss takes its ratio. */
  readonly oldLogProbs: Float32Array;
}

/** The loss that carries gains: −clip(ratio, 1, 1)·gain·logp, whose gradient is −gain·∇logp whatever the ratio. */
export const CARRIER = { lossFn: "cispo", lossConfig: { clip_low_threshold: 1, clip_high_threshold: 1 } } as const;

/** The same gradient where the ratio is 1, for a server that clips otherwise: −ratio·gain. */
export const UNCLIPPED = { lossFn: "importance_sampling", lossConfig: {} } as const;

/** `scale` multiplies the gains. */
export function toDatum({ prompt, chunks, tokenIds, gains, oldLogProbs }: WeighedCompletion, scale: number): Datum {
  const before = prompt.tokenIds.length - 1;
  const length = before + tokenIds.length;
  const targets = new Int32Array(length);
  targets.set(prompt.tokenIds.subarray(1));
  targets.set(tokenIds, before);
  const behind = (value: (token: number) => number) => {
    const data = new Float32Array(length);
    for (let token = 0; token < tokenIds.length; token++) data[before + token] = value(token);
    return { shape: [length], data };
  };
  return {
    chunks: withTokens(chunks, tokenIds.subarray(0, -1)),
    inputs: {
      target_tokens: { shape: [length], data: targets },
      weights: behind(() => 1),
      advantages: behind((token) => gains[token]! * scale),
      logprobs: behind((token) => oldLogProbs[token]!),
    },
  };
}

/** The completion's part of what a server returned for the datum; RunError where its arrays have another length. */
export function completionPart(
  { prompt, tokenIds }: Pick<WeighedCompletion, "prompt" | "tokenIds">,
  logProbs: Float32Array | undefined,
): Float32Array {
  const length = prompt.tokenIds.length - 1 + tokenIds.length;
  if (logProbs?.length === length) return logProbs.slice(prompt.tokenIds.length - 1);
  const images = prompt.images.length > 0 ? ": it may count an image's tokens otherwise, or leave images out" : "";
  throw new RunError(
    `the server returned ${logProbs?.length ?? 0} log-probs for an input of ${length} tokens${images}`,
  );
}

/** Text behind text is one chunk. */
function withTokens(chunks: readonly Chunk[], tokens: Int32Array): readonly Chunk[] {
  if (tokens.length === 0) return chunks;
  const last = chunks.at(-1);
  if (last?.type !== "tokens") return [...chunks, { type: "tokens", tokens: tokens.slice() }];
  const joined = new Int32Array(last.tokens.length + tokens.length);
  joined.set(last.tokens);
  joined.set(tokens, last.tokens.length);
  return [...chunks.slice(0, -1), { type: "tokens", tokens: joined }];
}
