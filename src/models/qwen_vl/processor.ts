/**
 * The processor of the Qwen-VL families: chat template, tokens and pixels of a prompt. Every image token in a prompt comes from an image:
 * as many placeholders as images, each repeated once per merged patch, and none spelled out in the text.
 */
import { join } from "node:path";
import { messageOf, UserError } from "../../core/errors.ts";
import type { EncodeOptions, Processor } from "../../core/processor.ts";
import type { ImageFeatures, ImageRef, Message, Prompt } from "../../core/records.ts";
import { chatRenderer, promptTemplate } from "../../io/chat-template.ts";
import { decodeImage } from "../../io/images.ts";
import { loadTokenizer, type Tokenizer } from "../../io/tokenizer.ts";
import {
  chooseTemplate,
  encoderFor,
  type ImageProcessorFile,
  readImageProcessorJson,
  readTurnEnd,
  refuseSpecialTokens,
  requireSameSizes,
  requireSameToken,
  requireTurns,
  type SharedSize,
  textRuns,
  turnAfterCut,
  withoutEnd,
} from "../processor-files.ts";
import type { TextConfig, VisionConfig } from "./config.ts";
import {
  type ImageProcessorConfig,
  parseImageProcessorConfig,
  patchGrid,
  patchify,
  pixelLayout,
  resizedImage,
} from "./image-processor.ts";

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

/** The tokens that config.json gives ids to, by its keys. */
const MARKERS = {
  image_token_id: IMAGE_TOKEN,
  video_token_id: "<|video_pad|>",
  vision_start_token_id: "<|vision_start|>",
  vision_end_token_id: "<|vision_end|>",
  vision_token_id: "<|vision_pad|>",
};

/** The model that a processor serves. */
export interface ServedModel {
  readonly text: TextConfig;
  readonly vision: VisionConfig;
  /** What config.json says, and where it lies. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly source: string;
  /** Serves a folder without a chat template. */
  readonly defaultTemplate: string;
}

/**
 * Reads tokenizer.json, preprocessor_config.json (or processor_config.json), the chat template and generation_config.json
 * of a model folder. Throws UserError naming what is missing or wrong, and both files where these and config.json disagree.
 */
export async function loadProcessor(
  folder: string,
  options: LoadProcessorOptions,
  model: ServedModel,
): Promise<Processor> {
  const { text: textConfig, source } = model;
  const tokenizer = loadTokenizer(folder, [END_OF_TURN, ...Object.values(MARKERS)]);
  const file = readImageProcessorJson(folder);
  const config = readImageProcessorConfig(file, options);
  const chosen = chooseTemplate(folder, tokenizer, model.defaultTemplate);
  const { template } = chosen;
  const imageTokenId = requireToken(tokenizer, folder, IMAGE_TOKEN);
  const usual = requireToken(tokenizer, folder, END_OF_TURN);
  checkMarkers(tokenizer, folder, model);
  requireSameSizes(file, source, sharedSizes(config, model.vision));
  const toIds = encoderFor(tokenizer, folder, source, textConfig.vocabularySize);

  const renderChat = chatRenderer(chosen);
  const variables = tokenizer.namedTokens;
  const { endOfTurn, stopTokenIds, notices } = readTurnEnd(folder, tokenizer, {
    usual,
    unnamed: [END_OF_TURN, END_OF_TEXT],
    vocabularySize: textConfig.vocabularySize,
    render: (messages) => renderChat(template, messages, { variables }),
  });

  /** The prompt with one token for each image. */
  const render = (messages: readonly Message[], o: EncodeOptions) => {
    const { addGenerationPrompt = true, assistantPrefix = "", template: kind = "chat" } = o;
    if (assistantPrefix !== "" && !addGenerationPrompt) {
      throw new Error("encode: assistantPrefix needs the generation prompt, got addGenerationPrompt: false");
    }
    for (const message of messages) refuseSpecialTokens(tokenizer, textRuns(message), `the ${message.role} message`);
    refuseSpecialTokens(tokenizer, [assistantPrefix], "the assistant's prefix");

    const rendered = promptTemplate(kind, template, { image: IMAGE_TEXT });
    const text = renderChat(rendered, messages, { addGenerationPrompt, variables }) + assistantPrefix;
    const ids = toIds(text);
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

  const encodeTurn: Processor["encodeTurn"] = async (content, { assistantPrefix = "", ...o } = {}) => {
    requireTurns(o);
    refuseSpecialTokens(tokenizer, textRuns({ role: "user", content }), "the user message");
    const rendered = promptTemplate(o.template ?? "chat", template, { image: IMAGE_TEXT });
    const own = (messages: readonly Message[]) =>
      renderChat(rendered, messages, { addGenerationPrompt: true, variables });
    const text = turnAfterCut(content, own) + assistantPrefix;
    const refs = content.flatMap((part) => (part.type === "image" ? [part.image] : []));
    const images = await Promise.all(refs.map((ref) => loadImage(ref, o.baseFolder, config)));
    const counts = images.map(({ grid }) => featuresOf(grid));
    return { text, tokenIds: expandImageTokens(toIds(text), counts, imageTokenId), images };
  };

  const layOut: Processor["layOut"] = (messages, sizes, o = {}) => {
    const { ids, refs } = render(messages, o);
    if (sizes.length !== refs.length) throw new Error(`layOut: ${sizes.length} sizes for ${refs.length} images`);
    const imageFeatures = refs.map((ref, i) => naming(ref, () => featuresOf(patchGrid(sizes[i]!, config))));
    return { tokenIds: expandImageTokens(ids, imageFeatures, imageTokenId), imageFeatures };
  };

  return {
    encode,
    encodeTurn,
    layOut,
    encodeImage: async (ref) => {
      const image = await loadImage(ref, undefined, config);
      return { tokenIds: new Int32Array(featuresOf(image.grid)).fill(imageTokenId), image };
    },
    encodeCompletion: (text) => {
      refuseSpecialTokens(tokenizer, [text], "the completion");
      const ids = toIds(text);
      const turn = new Int32Array(ids.length + 1).fill(endOfTurn);
      turn.set(ids);
      return turn;
    },
    decode: (ids) => tokenizer.decode(withoutEnd(ids, endOfTurn), { skipSpecialTokens: true }),
    processed: async (ref) => {
      const { image } = await decodeImage(ref);
      const grid = naming(ref, () => patchGrid(image, config));
      return {
        image: resizedImage(image, grid, config),
        patch: config.patchSize,
        token: config.patchSize * config.mergeSize,
        tokens: featuresOf(grid),
      };
    },
    pixelLayout: (grid) => pixelLayout(grid, config),
    stopTokenIds,
    imageTokenId,
    mergeSize: config.mergeSize,
    notices: [...chosen.notices, ...notices],
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

function readImageProcessorConfig(
  { json, path }: ImageProcessorFile,
  options: LoadProcessorOptions,
): ImageProcessorConfig {
  const limits = {
    ...(options.minPixels === undefined ? {} : { min_pixels: options.minPixels }),
    ...(options.maxPixels === undefined ? {} : { max_pixels: options.maxPixels }),
  };
  return parseImageProcessorConfig(json === null || typeof json !== "object" ? json : { ...json, ...limits }, path);
}

/**
 * The model puts image features where its own image token stands, and never samples the others: they must be the tokenizer's.
 * An absent key of the image token has the class's default; the others' are then not used.
 */
function checkMarkers(tokenizer: Tokenizer, folder: string, { text, json, source }: ServedModel): void {
  for (const [key, token] of Object.entries(MARKERS)) {
    const id = token === IMAGE_TOKEN ? text.imageTokenId : json[key];
    if (id !== undefined) requireSameToken(tokenizer, folder, source, { key, id, token });
  }
}

/** What both the image processor and the vision tower say of an image's patches. */
function sharedSizes(config: ImageProcessorConfig, vision: VisionConfig): readonly SharedSize[] {
  const size = (key: string, value: number, modelKey: string, modelValue: number) => {
    return { key, value, modelKey: `vision_config.${modelKey}`, modelValue };
  };
  return [
    size("patch_size", config.patchSize, "patch_size", vision.patch),
    size("temporal_patch_size", config.temporalPatchSize, "temporal_patch_size", vision.temporalPatch),
    size("merge_size", config.mergeSize, "spatial_merge_size", vision.merge),
  ];
}

function requireToken(tokenizer: Tokenizer, folder: string, token: string): number {
  const id = tokenizer.idOf(token);
  if (id !== undefined) return id;
  throw new UserError(`${join(folder, "tokenizer.json")} has no token ${token}: it is no tokenizer of Qwen-VL`);
}
