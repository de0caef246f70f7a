/**
 * The processor of the Qwen-VL families: chat template, tokens and pixels of a prompt. Every image token in a prompt comes from an image:
 * as many placeholders as images, each repeated once per merged patch, and none spelled out in the text.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../../core/errors.ts";
import type { EncodeOptions, Processor } from "../../core/processor.ts";
import type { ImageFeatures, ImageRef, Message, Prompt } from "../../core/records.ts";
import { chatRenderer, promptTemplate } from "../../io/chat-template.ts";
import { readJson } from "../../io/files.ts";
import { decodeImage } from "../../io/images.ts";
import { loadTokenizer, type Tokenizer } from "../../io/tokenizer.ts";
import { readImageProcessorJson, readStopTokens, refuseSpecialTokens, textRuns } from "../processor-files.ts";
import { type ImageProcessorConfig, parseImageProcessorConfig, patchGrid, patchify } from "./image-processor.ts";

export interface LoadProcessorOptions {
  /** In place of what the checkpoint says: images are resized to an area within these limits. */
  readonly minPixels?: number;
  readonly maxPixels?: number;
}

const IMAGE_TOKEN = "<|image_pad|>";
/** An image as text before its placeholder is repeated. */
const IMAGE_TEXT = `<|vision_start|>${IMAGE_TOKEN}<|vision_end|>`;
const END_OF_TURN = "<|im_end|>";
const END_OF_TEXT = "<|endoftext|>";

/**
 * Reads tokenizer.json, preprocessor_config.json (or processor_config.json), the chat template and generation_config.json
 * of a model folder; `defaultTemplate` serves a folder without one. Throws UserError naming what is missing or wrong.
 */
export const processorLoader =
  (defaultTemplate: string) =>
  (folder: string, options: LoadProcessorOptions = {}) =>
    loadProcessor(folder, options, defaultTemplate);

async function loadProcessor(
  folder: string,
  options: LoadProcessorOptions,
  defaultTemplate: string,
): Promise<Processor> {
  const tokenizer = loadTokenizer(folder);
  const config = readImageProcessorConfig(folder, options);
  const template = tokenizer.chatTemplate ?? defaultTemplate;
  const imageTokenId = requireToken(tokenizer, folder, IMAGE_TOKEN);
  const endOfTurn = requireToken(tokenizer, folder, END_OF_TURN);
  checkImageToken(folder, imageTokenId);

  const renderChat = chatRenderer();

  /** The prompt with one token for each image. */
  const render = (messages: readonly Message[], o: EncodeOptions) => {
    const { addGenerationPrompt = true, assistantPrefix = "", template: kind = "chat" } = o;
    if (assistantPrefix !== "" && !addGenerationPrompt) {
      throw new Error("encode: assistantPrefix needs the generation prompt, got addGenerationPrompt: false");
    }
    for (const message of messages) refuseSpecialTokens(tokenizer, textRuns(message), `the ${message.role} message`);
    refuseSpecialTokens(tokenizer, [assistantPrefix], "the assistant's prefix");

    const rendered = promptTemplate(kind, template, { image: IMAGE_TEXT });
    const text =
      renderChat(rendered, messages, { addGenerationPrompt, variables: tokenizer.namedTokens }) + assistantPrefix;
    const ids = tokenizer.encode(text);
    const refs = messages.flatMap(({ content }) =>
      content.flatMap((part) => (part.type === "image" ? [part.image] : [])),
    );
    const placeholders = ids.filter((id) => id === imageTokenId).length;
    if (placeholders !== refs.length) {
      throw new UserError(
        `the chat template of ${folder} gave ${placeholders} image placeholders (${IMAGE_TOKEN}) for ${refs.length} images`,
      );
    }
    return { text, ids, refs };
  };
  const featuresOf = ([t, h, w]: ImageFeatures["grid"]) => (t * h * w) / config.mergeSize ** 2;

  const encode = async (messages: readonly Message[], o: EncodeOptions = {}): Promise<Prompt> => {
    const { text, ids, refs } = render(messages, o);
    const images = await Promise.all(refs.map((ref) => loadImage(ref, o.baseFolder, config)));
    const counts = images.map(({ grid }) => featuresOf(grid));
    return { text, tokenIds: expandImageTokens(ids, counts, imageTokenId), images };
  };

  const layOut: Processor["layOut"] = (messages, sizes, o = {}) => {
    const { ids, refs } = render(messages, o);
    if (sizes.length !== refs.length) throw new Error(`layOut: ${sizes.length} sizes for ${refs.length} images`);
    const imageFeatures = refs.map((ref, i) => naming(ref, () => featuresOf(patchGrid(sizes[i]!, config))));
    return { tokenIds: expandImageTokens(ids, imageFeatures, imageTokenId), imageFeatures };
  };

  return {
    encode,
    layOut,
    encodeCompletion: (text) => {
      refuseSpecialTokens(tokenizer, [text], "the completion");
      const ids = tokenizer.encode(text);
      const turn = new Int32Array(ids.length + 1).fill(endOfTurn);
      turn.set(ids);
      return turn;
    },
    decode: (ids) => tokenizer.decode(ids, { skipSpecialTokens: true }),
    stopTokenIds: readStopTokens(folder) ?? knownIds(tokenizer, [END_OF_TURN, END_OF_TEXT]),
    imageTokenId,
    mergeSize: config.mergeSize,
  };
}

async function loadImage(
  ref: ImageRef,
  baseFolder: string | undefined,
  config: ImageProcessorConfig,
): Promise<ImageFeatures> {
  const { image, sha256, width, height } = await decodeImage(ref, baseFolder);
  return naming(ref, () => ({ ...patchify(image, config), sha256, width, height }));
}

/** Work on an image; a user's mistake found by it names the image. */
function naming<T>(ref: ImageRef, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`image ${ref.path}: ${messageOf(error)}`, { cause: error });
    throw error;
  }
}

/** Repeats the n-th placeholder once per feature of the n-th image. */
function expandImageTokens(ids: Int32Array, counts: readonly number[], imageTokenId: number): Int32Array {
  const expanded = new Int32Array(ids.length + counts.reduce((sum, count) => sum + count - 1, 0));
  let image = 0;
  let o = 0;
  for (const id of ids) {
    const count = id === imageTokenId ? counts[image++]! : 1;
    expanded.fill(id, o, o + count);
    o += count;
  }
  return expanded;
}

function readImageProcessorConfig(folder: string, options: LoadProcessorOptions): ImageProcessorConfig {
  const limits = {
    ...(options.minPixels === undefined ? {} : { min_pixels: options.minPixels }),
    ...(options.maxPixels === undefined ? {} : { max_pixels: options.maxPixels }),
  };
  const { json, path } = readImageProcessorJson(folder);
  return parseImageProcessorConfig(json === null || typeof json !== "object" ? json : { ...json, ...limits }, path);
}

/** The model puts image features where its own image token stands: it must be the tokenizer's. */
function checkImageToken(folder: string, imageTokenId: number): void {
  const path = join(folder, "config.json");
  if (!existsSync(path)) return;
  const configured = (readJson(path, "model configuration") as { image_token_id?: unknown } | null)?.image_token_id;
  if (configured !== undefined && configured !== imageTokenId) {
    throw new UserError(
      `${path} has image_token_id ${configured}, but in tokenizer.json ${IMAGE_TOKEN} is ${imageTokenId}`,
    );
  }
}

function requireToken(tokenizer: Tokenizer, folder: string, token: string): number {
  const id = tokenizer.idOf(token);
  if (id !== undefined) return id;
  throw new UserError(`${join(folder, "tokenizer.json")} has no token ${token}: it is no tokenizer of Qwen-VL`);
}

function knownIds(tokenizer: Tokenizer, tokens: readonly string[]): readonly number[] {
  return tokens.flatMap((token) => tokenizer.idOf(token) ?? []);
}
