/** Whether images reach a server's model: they must change what it says, and a wrong number of tokens must be refused. */
import { messageOf } from "../../core/errors.ts";
import type { Prompt } from "../../core/records.ts";
import type { CompletionDecoder, EngineDemands } from "../backend.ts";
import { isOneRunEach, promptChunks } from "./images.ts";
import { largestDifference, scoreOf } from "./probe-tools.ts";
import type { RemoteModel, WireLoss } from "./remote-model.ts";

/** Differences below are rounding. */
const NOTICED = 1e-5;

/** Why images cannot be used; null where they can. */
export async function imageFault(
  model: RemoteModel,
  { black, white }: NonNullable<EngineDemands["images"]>,
  { imageTokenId, stopTokenIds }: CompletionDecoder,
  loss: WireLoss,
): Promise<string | null> {
  if (!isOneRunEach(black, imageTokenId))
    return "this model cuts images into tiles, which the Tinker API has no form for";
  const tokenIds = Int32Array.from([5, 6, stopTokenIds[0] ?? 7]);
  const score = (prompt: Prompt) => scoreOf(model, { prompt, tokenIds, loss, imageTokenId });
  let dark: Float32Array;
  let bright: Float32Array;
  try {
    dark = await score(black);
    bright = await score(white);
  } catch (error) {
    return `the server does not take images (${messageOf(error)})`;
  }
  if (largestDifference(dark, bright) < NOTICED) {
    return "the server leaves images out: a black and a white one give the same log-probs";
  }
  const sampled = await sampledFault(model, black, { imageTokenId, loss });
  if (sampled !== null) return sampled;
  const at = black.tokenIds.indexOf(imageTokenId);
  const longer = Int32Array.from([...black.tokenIds.slice(0, at), imageTokenId, ...black.tokenIds.slice(at)]);
  try {
    await score({ ...black, tokenIds: longer });
  } catch {
    return null;
  }
  return "the server does not check how many tokens an image has";
}

/** The sampler must see the image too: its log-probs are the trainer's. */
async function sampledFault(
  model: RemoteModel,
  prompt: Prompt,
  { imageTokenId, loss }: { readonly imageTokenId: number; readonly loss: WireLoss },
): Promise<string | null> {
  const chunks = await promptChunks(prompt, imageTokenId);
  const from = await model.saveForSampling();
  const options = { numSamples: 1, maxTokens: 4, temperature: 1, topP: 1, topK: 0, seed: 5, stopTokenIds: [] };
  const { sequences } = await model.sample(from, chunks, options);
  const { tokens, logProbs } = sequences[0]!;
  const scored = await scoreOf(model, { prompt, tokenIds: tokens, loss, imageTokenId });
  const difference = logProbs === null ? Infinity : largestDifference(scored, logProbs);
  return difference < 0.2 ? null : "the server's sampler does not see images as its trainer does";
}
