/** A model's input in the Tinker API, text tokens and images in any order, as a prompt of the engine. */
import { UserError } from "../../core/errors.ts";
import type { ImageTokens, Processor } from "../../core/processor.ts";
import type { ImageRef, Prompt } from "../../core/records.ts";
import { sha256 } from "../../io/files.ts";
import { imageSize } from "../../io/images.ts";
import type { Chunk, ImageChunk } from "../../tinker/index.ts";

/** A prompt, and where the last of its image tokens ends (0: it has none). */
export interface EncodedInput extends Prompt {
  readonly imagesEnd: number;
}

export interface InputEncoder {
  /** `where` names the input in errors. Throws UserError for what is wrong with it. */
  encode(chunks: readonly Chunk[], where: string): Promise<EncodedInput>;
}

/** Bytes of encoded images kept for inputs that bring the same ones again, as those of a group do. */
const KEPT_BYTES = 256e6;

export function createInputEncoder(
  processor: Pick<Processor, "encodeImage" | "imageTokenId">,
  maxImagePixels: number,
  contextLength: number,
): InputEncoder {
  const kept = new Map<string, ImageTokens>();
  let bytes = 0;
  /** One image at a time bounds the memory of pixels. */
  let turn: Promise<unknown> = Promise.resolve();

  const load = async (data: Uint8Array, where: string, key: string): Promise<ImageTokens> => {
    const known = kept.get(key);
    if (known !== undefined) return known;
    const ref: ImageRef = { path: where, bytes: data };
    const { width, height } = await imageSize(ref);
    if (width * height > maxImagePixels) {
      throw new UserError(
        `${where} has ${width} x ${height} pixels, at most ${maxImagePixels} are taken: scale it down`,
      );
    }
    const encoded = await processor.encodeImage(ref);
    kept.set(key, encoded);
    bytes += encoded.image.patches.byteLength;
    for (const [oldest, { image }] of kept) {
      if (bytes <= KEPT_BYTES) break;
      kept.delete(oldest);
      bytes -= image.patches.byteLength;
    }
    return encoded;
  };
  const imageTokens = async ({ data, expectedTokens }: ImageChunk, where: string): Promise<ImageTokens> => {
    const loading = turn.then(() => load(data, where, sha256(data)));
    turn = loading.catch(() => {});
    const encoded = await loading;
    const { length } = encoded.tokenIds;
    if (expectedTokens === null || expectedTokens === length) return encoded;
    const { width, height } = encoded.image;
    throw new UserError(
      `${where}: expected_tokens is ${expectedTokens}, but this image of ${width} x ${height} pixels has ${length} tokens`,
    );
  };

  return {
    async encode(chunks, where) {
      const ids: number[] = [];
      const images: Prompt["images"][number][] = [];
      let imagesEnd = 0;
      for (const [i, chunk] of chunks.entries()) {
        if (chunk.type === "tokens") {
          if (chunk.tokens.includes(processor.imageTokenId)) {
            throw new UserError(
              `${where}[${i}]: token ${processor.imageTokenId} stands for an image: send the image as a chunk of its own`,
            );
          }
          for (const id of chunk.tokens) ids.push(id);
          continue;
        }
        const { tokenIds, image } = await imageTokens(chunk, `${where}[${i}]`);
        for (const id of tokenIds) ids.push(id);
        images.push(image);
        imagesEnd = ids.length;
      }
      if (ids.length === 0) throw new UserError(`${where}: it has no tokens`);
      if (ids.length > contextLength) {
        throw new UserError(`${where}: it has ${ids.length} tokens, the model's context has ${contextLength}`);
      }
      return { text: "", tokenIds: Int32Array.from(ids), images, imagesEnd };
    },
  };
}
