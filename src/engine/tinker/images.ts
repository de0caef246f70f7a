/** A prompt as the wire has it: runs of text tokens, and image files that stand for the tokens the model makes of them. */
import type { ImageFeatures, Prompt } from "../../core/records.ts";
import { encodePng } from "../../io/images.ts";
import type { Chunk } from "../../tinker/index.ts";

/**
 * The chunks of a prompt. Each image is sent as a PNG of the very pixels that its patches were cut from, with the number of
 * tokens it stands for, which a server must find too. `imageTokenId` is the placeholder, one for each of these tokens.
 */
export async function promptChunks({ tokenIds, images }: Prompt, imageTokenId: number): Promise<readonly Chunk[]> {
  const chunks: Chunk[] = [];
  let image = 0;
  for (let at = 0; at < tokenIds.length; ) {
    const isImage = tokenIds[at] === imageTokenId;
    let end = at + 1;
    while (end < tokenIds.length && (tokenIds[end] === imageTokenId) === isImage) end++;
    if (isImage) {
      const features = images[image++];
      if (features === undefined) throw new Error("internal: the prompt has more runs of image tokens than images");
      chunks.push({ type: "image", data: await pngOf(features), format: "png", expectedTokens: end - at });
    } else {
      chunks.push({ type: "tokens", tokens: tokenIds.slice(at, end) });
    }
    at = end;
  }
  if (image !== images.length) throw new Error("internal: the prompt has fewer runs of image tokens than images");
  return chunks;
}

/** Whether every image stands in the prompt as one run of placeholders, which is what the wire can say. */
export function isOneRunEach({ tokenIds, images }: Prompt, imageTokenId: number): boolean {
  const starts = tokenIds.filter((id, i) => id === imageTokenId && tokenIds[i - 1] !== imageTokenId).length;
  return starts === images.length && images.every(({ pixels }) => pixels !== undefined);
}

/** Sampling and training send the same prompt: its images are encoded once. */
const encoded = new WeakMap<ImageFeatures, Promise<Uint8Array>>();

function pngOf(features: ImageFeatures): Promise<Uint8Array> {
  const known = encoded.get(features);
  if (known !== undefined) return known;
  if (features.pixels === undefined) throw new Error("internal: an image without pixels cannot be sent");
  const png = encodePng(features.pixels);
  encoded.set(features, png);
  return png;
}
