/**
 * The processor of Idefics3 and SmolVLM: chat template, tokens and pixels of a prompt. Every image token in a prompt comes
 * from an image: as many placeholders as images, each written out as its tiles, and none spelled out in the text.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.ts";
import type { EncodeOptions, Processor } from "../../core/processor.ts";
import type { ImageFeatures, ImageRef, Message, Prompt } from "../../core/records.ts";
import { chatRenderer, promptTemplate } from "../../io/chat-template.ts";
import { readJson } from "../../io/files.ts";
import { decodeImage } from "../../io/images.ts";
import { loadTokenizer, type Tokenizer } from "../../io/tokenizer.ts";
import type { ModelFamily } from "../model.ts";
import {
  chooseTemplate,
  encoderFor,
  type ImageProcessorFile,
  readImageProcessorJson,
  readTurnEnd,
  refuseSpecialTokens,
  requireSameToken,
  requireTurns,
  textRuns,
  turnAfterCut,
  withoutEnd,
} from "../processor-files.ts";
import { parseConfig } from "./config.ts";
import {
  cutIntoTiles,
  type ImageProcessorConfig,
  type PatchSizes,
  parseImageProcessorConfig,
  patchify,
  planTiles,
  type TilePlan,
} from "./image-processor.ts";

const IMAGE = "<image>";
const AROUND_IMAGE = "<fake_token_around_image>";
const WHOLE_IMAGE = "<global-img>";
const END_OF_TURN = "<end_of_utterance>";

/** For checkpoints without a chat template: what both families' own give. */
const DEFAULT_TEMPLATE = `{{ bos_token }}{% for message in messages %}{{ message.role | capitalize }}
{{- ':' if message.content[0].type == 'image' else ': ' }}{% for part in message.content -%}
{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{{ '<end_of_utterance>\\n' }}{% endfor -%}
{{ 'Assistant:' if add_generation_prompt else '' }}`;

/** For models that know no chat; these families begin every text with their first token. */
const PLAIN = { image: IMAGE, begin: "{{ bos_token }}" };

/**
 * Reads tokenizer.json, preprocessor_config.json, processor_config.json, the chat template and generation_config.json of a
 * model folder. Throws UserError naming what is missing or wrong, both files where these and config.json disagree, and for
 * area limits: these families go by sides.
 */
export const loadProcessor: ModelFamily["loadProcessor"] = async (folder, limits, json, source): Promise<Processor> => {
  if (limits.minPixels !== undefined || limits.maxPixels !== undefined) {
    throw new UserError(
      `image.min_pixels and image.max_pixels do not apply to ${json["model_type"]}: set size, max_image_size and do_image_splitting in ${join(folder, "preprocessor_config.json")}`,
    );
  }
  const model = parseConfig(json, source);
  const tokenizer = loadTokenizer(folder, [END_OF_TURN, IMAGE, AROUND_IMAGE, WHOLE_IMAGE]);
  const file = readImageProcessorJson(folder);
  const config = parseImageProcessorConfig(file.json, file.path);
  const sizes: PatchSizes = { patch: model.vision.patch, merge: model.vision.merge };
  const tokensPerTile = countTokens(folder, source, file, config, sizes);
  const chosen = chooseTemplate(folder, tokenizer, DEFAULT_TEMPLATE);
  const { template } = chosen;
  const imageTokenId = requireToken(tokenizer, folder, IMAGE);
  requireToken(tokenizer, folder, AROUND_IMAGE);
  const usual = requireToken(tokenizer, folder, END_OF_TURN);
  const { imageTokenId: id, vocabularySize } = model.text;
  requireSameToken(tokenizer, folder, source, { key: "image_token_id", id, token: IMAGE });
  const toIds = encoderFor(tokenizer, folder, source, vocabularySize);
  const variables = tokenizer.namedTokens;
  const renderChat = chatRenderer(chosen);
  const { endOfTurn, stopTokenIds, notices } = readTurnEnd(folder, tokenizer, {
    usual,
    vocabularySize,
    render: (messages) => renderChat(template, messages, { variables }),
  });
  const lead = leadOfAnswers((messages, addGenerationPrompt) =>
    renderChat(template, messages, { addGenerationPrompt, variables }),
  );

  /** The prompt with one placeholder for each image. */
  const render = (messages: readonly Message[], o: EncodeOptions) => {
    const { addGenerationPrompt = true, assistantPrefix = "", template: kind = "chat" } = o;
    if (assistantPrefix !== "" && !addGenerationPrompt) {
      throw new Error("encode: assistantPrefix needs the generation prompt, got addGenerationPrompt: false");
    }
    for (const message of messages) refuseSpecialTokens(tokenizer, textRuns(message), `the ${message.role} message`);
    refuseSpecialTokens(tokenizer, [assistantPrefix], "the assistant's prefix");

    const begin = kind !== "chat" || assistantPrefix === "" ? "" : lead;
    const rendered = renderChat(promptTemplate(kind, template, PLAIN), messages, {
      addGenerationPrompt,
      variables,
    });
    const text = rendered + begin + assistantPrefix;
    const refs = messages.flatMap(({ content }) =>
      content.flatMap((part) => (part.type === "image" ? [part.image] : [])),
    );
    const parts = text.split(IMAGE);
    if (parts.length - 1 !== refs.length) {
      throw new UserError(
        `the chat template of ${folder} gave ${parts.length - 1} image placeholders (${IMAGE}) for ${refs.length} images`,
      );
    }
    return { text, parts, refs };
  };
  const tokensOf = (parts: readonly string[], plans: readonly TilePlan[]) => {
    const written = parts.map((part, i) => part + (i < plans.length ? writeOut(plans[i]!, tokensPerTile) : ""));
    return toIds(written.join(""));
  };

  const encode = async (messages: readonly Message[], o: EncodeOptions = {}): Promise<Prompt> => {
    const { text, parts, refs } = render(messages, o);
    const loaded = await Promise.all(refs.map((ref) => loadImage(ref, o.baseFolder, config, sizes)));
    const plans = loaded.map(({ plan }) => plan);
    return { text, tokenIds: tokensOf(parts, plans), images: loaded.map(({ features }) => features) };
  };

  const encodeTurn: Processor["encodeTurn"] = async (content, { assistantPrefix = "", ...o } = {}) => {
    requireTurns(o);
    refuseSpecialTokens(tokenizer, textRuns({ role: "user", content }), "the user message");
    const rendered = promptTemplate(o.template ?? "chat", template, PLAIN);
    const own = (messages: readonly Message[]) =>
      renderChat(rendered, messages, { addGenerationPrompt: true, variables });
    const begin = (o.template ?? "chat") !== "chat" || assistantPrefix === "" ? "" : lead;
    const text = turnAfterCut(content, own) + begin + assistantPrefix;
    const refs = content.flatMap((part) => (part.type === "image" ? [part.image] : []));
    const loaded = await Promise.all(refs.map((ref) => loadImage(ref, o.baseFolder, config, sizes)));
    const plans = loaded.map(({ plan }) => plan);
    return { text, tokenIds: tokensOf(text.split(IMAGE), plans), images: loaded.map(({ features }) => features) };
  };

  const layOut: Processor["layOut"] = (messages, imageSizes, o = {}) => {
    const { parts, refs } = render(messages, o);
    if (imageSizes.length !== refs.length) {
      throw new Error(`layOut: ${imageSizes.length} sizes for ${refs.length} images`);
    }
    const plans = imageSizes.map((size) => planTiles(size, config));
    const imageFeatures = plans.map(({ rows, columns }) => (rows * columns + 1) * tokensPerTile);
    return { tokenIds: tokensOf(parts, plans), imageFeatures };
  };

  return {
    encode,
    encodeTurn,
    layOut,
    encodeImage: async (ref) => {
      const { plan, features } = await loadImage(ref, undefined, config, sizes);
      return { tokenIds: toIds(writeOut(plan, tokensPerTile)), image: features };
    },
    encodeCompletion: (text) => {
      refuseSpecialTokens(tokenizer, [text], "the completion");
      return Int32Array.from([...toIds(lead + text), endOfTurn]);
    },
    decode: (ids) => {
      const text = tokenizer.decode(withoutEnd(ids, endOfTurn), { skipSpecialTokens: true });
      return text.startsWith(lead) ? text.slice(lead.length) : text;
    },
    stopTokenIds,
    imageTokenId,
    mergeSize: sizes.merge,
    notices: [...chosen.notices, ...notices],
  };
};

/** What the template puts between the opening of the assistant's turn and its text: a blank, in both families' own. */
function leadOfAnswers(render: (messages: readonly Message[], addGenerationPrompt: boolean) => string): string {
  const turn = (role: Message["role"]): Message => ({ role, content: [{ type: "text", text: "x" }] });
  const opened = render([turn("user")], true);
  const answered = render([turn("user"), turn("assistant")], false);
  return answered.startsWith(opened) ? (/^(\s*)x/.exec(answered.slice(opened.length))?.[1] ?? "") : "";
}

/** An image's placeholder as transformers writes it out: tile by tile, a line per row, and last the whole image. */
function writeOut({ rows, columns }: TilePlan, tokensPerTile: number): string {
  const tokens = IMAGE.repeat(tokensPerTile);
  const lines = Array.from({ length: rows }, (_, r) => {
    return Array.from({ length: columns }, (_, c) => `${AROUND_IMAGE}<row_${r + 1}_col_${c + 1}>${tokens}`).join("");
  });
  const whole = `${AROUND_IMAGE}${WHOLE_IMAGE}${tokens}${AROUND_IMAGE}`;
  return rows === 0 ? whole : `${lines.join("\n")}\n\n${whole}`;
}

async function loadImage(
  ref: ImageRef,
  baseFolder: string | undefined,
  config: ImageProcessorConfig,
  sizes: PatchSizes,
): Promise<{ readonly plan: TilePlan; readonly features: ImageFeatures }> {
  const { image, sha256, width, height } = await decodeImage(ref, baseFolder);
  const plan = planTiles(image, config);
  const tiles = cutIntoTiles(image, plan, config);
  return { plan, features: { ...patchify(tiles, config, sizes), sha256, width, height } };
}

/** Image tokens of a tile, which must be what processor_config.json says where it does. */
function countTokens(
  folder: string,
  source: string,
  file: ImageProcessorFile,
  { tile }: ImageProcessorConfig,
  { patch, merge }: PatchSizes,
): number {
  const side = Math.floor(tile / patch) / merge;
  if (!Number.isInteger(side) || side === 0) {
    throw new UserError(
      `${file.path} has ${file.prefix}max_image_size.longest_edge ${tile}, which gives tiles of ${Math.floor(tile / patch)} patches a side, but ${source} has vision_config.patch_size ${patch} and scale_factor ${merge}, which must divide them: take both files from one model`,
    );
  }
  const path = join(folder, "processor_config.json");
  const json = existsSync(path)
    ? (readJson(path, "processor configuration") as { image_seq_len?: unknown } | null)
    : null;
  const named = json?.image_seq_len;
  if (named !== undefined && named !== side ** 2) {
    throw new UserError(
      `${path}: image_seq_len is ${named}, but tiles of ${tile} pixels (max_image_size.longest_edge in ${file.path}) give ${side ** 2} tokens (vision_config.patch_size ${patch}, scale_factor ${merge} in ${source})`,
    );
  }
  return side ** 2;
}

function requireToken(tokenizer: Tokenizer, folder: string, token: string): number {
  const id = tokenizer.idOf(token);
  if (id !== undefined) return id;
  throw new UserError(
    `${join(folder, "tokenizer.json")} has no token ${token}: it is no tokenizer of Idefics3 or SmolVLM`,
  );
}
