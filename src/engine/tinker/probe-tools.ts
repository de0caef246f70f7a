/** What the parts of the probe measure with: a prompt of a few tokens, gradients by their norms, log-probs. */
import { UserError } from "../../core/errors.ts";
import type { Prompt } from "../../core/records.ts";
import type { OptimStep } from "../engine.ts";
import { completionPart, toDatum, type WeighedCompletion } from "./datum.ts";
import { promptChunks } from "./images.ts";
import type { RemoteModel, WireLoss } from "./remote-model.ts";

/** Adam's usual numbers, with a rate that moves adapters of any model at once. */
export const probeStep: OptimStep = {
  ...{ learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  ...{ weightDecay: 0, maxGradNorm: 0 },
};

const still: OptimStep = { ...probeStep, learningRate: 0 };

const counting = (from: number, count: number) => Int32Array.from({ length: count }, (_, i) => from + i);

/** Every vocabulary has these tokens. */
export const probePrompt: Prompt = { text: "", tokenIds: counting(3, 8), images: [] };
const probeCompletion = counting(11, 4);

/** Under the probe's prompt, the first tokens of one completion, so that gradients of its parts can be compared. */
export function partWith(gains: readonly number[], oldLogProbs: ArrayLike<number>): WeighedCompletion {
  const { length } = gains;
  return {
    prompt: probePrompt,
    chunks: [{ type: "tokens", tokens: probePrompt.tokenIds }],
    tokenIds: probeCompletion.subarray(0, length),
    gains: Float32Array.from(gains),
    oldLogProbs: Float32Array.from({ length }, (_, i) => oldLogProbs[i]!),
  };
}

/** The whole completion, each token to grow alike. */
export const wholeWith = (oldLogProbs: ArrayLike<number>) => partWith([1, 1, 1, 1], oldLogProbs);

/** A completion's log-probs under the model. */
export async function scoreOf(
  model: RemoteModel,
  o: {
    readonly prompt: Prompt;
    readonly tokenIds: Int32Array;
    readonly loss: WireLoss;
    readonly imageTokenId?: number;
  },
): Promise<Float32Array> {
  const { prompt, tokenIds, loss, imageTokenId = -1 } = o;
  const zeros = new Float32Array(tokenIds.length);
  const item = { prompt, tokenIds, chunks: await promptChunks(prompt, imageTokenId), gains: zeros, oldLogProbs: zeros };
  const [logProbs] = await model.forward([toDatum(item, 1)], loss);
  return completionPart(item, logProbs);
}

/** The norm of the gradient that these calls add up to; the weights stay. */
export async function normOf(
  model: RemoteModel,
  loss: WireLoss,
  ...calls: readonly (readonly WeighedCompletion[])[]
): Promise<number> {
  for (const call of calls)
    await model.forwardBackward(
      call.map((item) => toDatum(item, 1)),
      loss,
    );
  const norm = await model.optimStep(still);
  if (norm === null) throw misfit("it does not tell the gradient's norm");
  return norm;
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

export function sumOf(values: Float32Array): number {
  return values.reduce((a, b) => a + b, 0);
}

/** What the server does is none of the things that viva can work with. */
export function misfit(what: string): UserError {
  return new UserError(`engine.url: viva cannot train on this server: ${what}`);
}
