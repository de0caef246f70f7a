/** What processors of all families share: the files of a model folder that they read, and the texts that they refuse. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import { problemOf } from "../core/issues.ts";
import type { EncodeOptions } from "../core/processor.ts";
import type { Message } from "../core/records.ts";
import type { ModelTemplate } from "../io/chat-template.ts";
import { readJson } from "../io/files.ts";
import type { Tokenizer } from "../io/tokenizer.ts";

/** The image processor's configuration, from preprocessor_config.json or processor_config.json, and where it stands there. */
export interface ImageProcessorFile {
  readonly json: unknown;
  readonly path: string;
  /** What its keys' names begin with. */
  readonly prefix: string;
}

export function readImageProcessorJson(folder: string): ImageProcessorFile {
  const path = join(folder, "preprocessor_config.json");
  const combined = join(folder, "processor_config.json"); // transformers 5 may put all processors of a model here
  const other = existsSync(combined)
    ? ((readJson(combined, "processor configuration") as { image_processor?: object } | null)?.image_processor ?? null)
    : null;
  if (!existsSync(path) && other !== null) return { json: other, path: combined, prefix: "image_processor." };
  const json = readJson(path, "image processor configuration");
  if (other !== null) requireAgreement(json, path, other, combined);
  return { json, path, prefix: "" };
}

/** What decides how an image becomes tokens and numbers. */
const AGREED = ["patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std", "rescale_factor"];

/** Two files that configure one image processor must say the same of it. */
function requireAgreement(json: unknown, path: string, other: object, combined: string): void {
  const [a, b] = [json ?? {}, other] as [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>];
  const key = AGREED.find((own) => {
    return a[own] != null && b[own] != null && JSON.stringify(a[own]) !== JSON.stringify(b[own]);
  });
  if (key === undefined) return;
  throw new UserError(
    `${path} has ${key} ${JSON.stringify(a[key])}, but ${combined} has image_processor.${key} ${JSON.stringify(b[key])}: keep the file that belongs to the model`,
  );
}

/** A parsed image processor configuration under a schema; `path` names the file in errors. */
export function checkImageProcessorJson<T>(schema: z.ZodType<T>, json: unknown, path: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const { path: key, message } = problemOf(result.error.issues[0]!);
  throw new UserError(`image processor configuration ${path}: ${key.join(".") || "the file"}: ${message}`);
}

/** A size that the image processor and the model must agree on, each side by its own key. */
export interface SharedSize {
  readonly key: string;
  readonly value: number;
  readonly modelKey: string;
  readonly modelValue: number;
}

/** Throws UserError naming both files and keys where the image processor's sizes are not the model's; `source` is config.json. */
export function requireSameSizes(
  { path, prefix }: ImageProcessorFile,
  source: string,
  sizes: readonly SharedSize[],
): void {
  const other = sizes.filter(({ value, modelValue }) => value !== modelValue);
  if (other.length === 0) return;
  const own = other.map(({ key, value }) => `${prefix}${key} ${value}`).join(" and ");
  const models = other.map(({ modelKey, modelValue }) => `${modelKey} ${modelValue}`).join(" and ");
  throw new UserError(`${path} has ${own}, but ${source} has ${models}: take both files from one model`);
}

/** Throws UserError naming both files where config.json gives a token another id than tokenizer.json does. */
export function requireSameToken(
  tokenizer: Tokenizer,
  folder: string,
  source: string,
  o: { readonly key: string; readonly id: unknown; readonly token: string },
): void {
  const own = tokenizer.idOf(o.token);
  if (own === undefined || own === o.id) return;
  throw new UserError(`${source} has ${o.key} ${o.id}, but in ${join(folder, "tokenizer.json")} ${o.token} is ${own}`);
}

/** Text to tokens; UserError naming both files for a token beyond the model's vocabulary. */
export function encoderFor(
  tokenizer: Tokenizer,
  folder: string,
  source: string,
  vocabularySize: number,
): (text: string) => Int32Array {
  return (text) => {
    const ids = tokenizer.encode(text);
    const beyond = ids.find((id) => id >= vocabularySize);
    if (beyond === undefined) return ids;
    throw new UserError(
      `${join(folder, "tokenizer.json")} makes ${JSON.stringify(tokenizer.decode([beyond]))} token ${beyond}, but ${source} has vocab_size ${vocabularySize}: take both files from one model`,
    );
  };
}

/** What ends an assistant's turn and a completion. */
export interface TurnEnd {
  /** The token that closes a turn that is taught. */
  readonly endOfTurn: number;
  /** All that end a completion, `endOfTurn` among them. */
  readonly stopTokenIds: readonly number[];
  /** What the files name that can end nothing, a sentence each. */
  readonly notices: readonly string[];
}

/**
 * Ends of turns from all files together: the token that the chat template puts behind an assistant's text, the family's own
 * (`usual`), the tokenizer's eos_token, and what generation_config.json names, as far as the model knows it. `unnamed` come
 * first where generation_config.json names none.
 */
export function readTurnEnd(
  folder: string,
  tokenizer: Tokenizer,
  o: {
    readonly usual: number;
    readonly unnamed?: readonly string[];
    readonly vocabularySize: number;
    readonly render: (messages: readonly Message[]) => string;
  },
): TurnEnd {
  const idsOf = (tokens: readonly string[]) => tokens.flatMap((token) => tokenizer.idOf(token) ?? []);
  const endOfTurn = templateEnd(tokenizer, o.render) ?? o.usual;
  const eosToken = tokenizer.namedTokens["eos_token"] ?? "";
  const eos = idsOf([eosToken]);
  const named = readStopTokens(folder) ?? [...idsOf(o.unnamed ?? []), ...eos];
  const ids = [...named.filter((id) => id < o.vocabularySize), o.usual, endOfTurn, ...eos];
  const beyond = named.filter((id) => id >= o.vocabularySize);
  const notices = [
    ...(beyond.length === 0
      ? []
      : [
          `${join(folder, "generation_config.json")}: eos_token_id names ${beyond.join(" and ")}, beyond the model's vocabulary of ${o.vocabularySize} tokens: answers end without it`,
        ]),
    ...(eosToken === "" || eos.length > 0
      ? []
      : [
          `${join(folder, "tokenizer_config.json")}: eos_token ${JSON.stringify(eosToken)} is no token of tokenizer.json: answers end without it`,
        ]),
  ];
  return { endOfTurn, stopTokenIds: [...new Set(ids)], notices };
}

/** A completion's tokens without the one that ends its turn, which is no text whether or not the tokenizer calls it special. */
export function withoutEnd(ids: ArrayLike<number>, endOfTurn: number): ArrayLike<number> {
  const end = ids.length - 1;
  return ids[end] === endOfTurn ? Array.from(ids).slice(0, end) : ids;
}

/** The added token behind an assistant's text as the template writes it; null where there is none, or no such conversation. */
function templateEnd(tokenizer: Tokenizer, render: (messages: readonly Message[]) => string): number | null {
  const probe = "the-last-words";
  const turn = (role: Message["role"], text: string): Message => ({ role, content: [{ type: "text", text }] });
  const turns = [turn("user", "a"), turn("assistant", probe)];
  for (const messages of [turns, [turn("system", "b"), ...turns]]) {
    const text = rendered(render, messages);
    const at = text?.lastIndexOf(probe) ?? -1;
    if (at < 0) continue;
    const behind = text!.slice(at + probe.length).trimStart();
    const tokens = tokenizer.addedTokens.filter((token) => token.trim() !== "" && behind.startsWith(token));
    const longest = tokens.reduce((a, b) => (b.length > a.length ? b : a), "");
    return tokenizer.idOf(longest) ?? null;
  }
  return null;
}

/** Null where the template refuses the conversation. */
function rendered(render: (messages: readonly Message[]) => string, messages: readonly Message[]): string | null {
  try {
    return render(messages);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** The model's chat template, else the family's own, and a sentence that tells of it. */
export function chooseTemplate(
  folder: string,
  { chatTemplate, templateSource, otherTemplates }: Tokenizer,
  builtIn: string,
): ModelTemplate & { readonly notices: readonly string[] } {
  if (chatTemplate !== null) return { template: chatTemplate, source: templateSource!, notices: [] };
  const found =
    otherTemplates.length === 0
      ? `${folder} has no chat template`
      : `${join(folder, "tokenizer_config.json")}: chat_template has ${otherTemplates.join(", ")} and no "default"`;
  return {
    template: builtIn,
    source: folder,
    notices: [`${found}: viva's own template for this kind of model is used`],
  };
}

/** The token ids that end a completion by generation_config.json; null where it names none. */
function readStopTokens(folder: string): readonly number[] | null {
  const path = join(folder, "generation_config.json");
  if (!existsSync(path)) return null;
  const id = z.int().min(0);
  const schema = z.looseObject({ eos_token_id: z.union([id, z.array(id).min(1)]).nullish() });
  const result = schema.safeParse(readJson(path, "generation configuration"));
  if (!result.success) {
    throw new UserError(
      `generation configuration ${path}: eos_token_id must be a token id or a list of at least one; without the key the tokenizer's end of turn counts`,
    );
  }
  const ids = result.data.eos_token_id;
  return ids == null ? null : Array.isArray(ids) ? ids : [ids];
}

/** Texts as they meet in the prompt: neighbouring parts joined, since a special token could be spelled across them. */
export function textRuns(message: Message): readonly string[] {
  const runs = [""];
  for (const part of message.content) {
    if (part.type === "text") runs.push(runs.pop()! + part.text);
    else runs.push("");
  }
  return runs;
}

/** Throws UserError for a text that spells a special token; `where` names the text. */
export function refuseSpecialTokens(tokenizer: Tokenizer, texts: readonly string[], where: string): void {
  for (const token of tokenizer.specialTokens) {
    if (texts.some((text) => text.includes(token))) {
      throw new UserError(`${where} contains "${token}", a special token of the model: take it out of the text`);
    }
  }
}

/** Throws UserError for the template of documents, which has no turns. */
export function requireTurns({ template }: Pick<EncodeOptions, "template">): void {
  if (template === "document") throw new UserError("prompt.template: document has no turns, so no tool can answer one");
}

const CUT = "the-turn-that-was-cut";

/** A conversation whose last turn but one is an assistant's that was cut, and its text behind that turn. */
export function turnAfterCut(content: Message["content"], render: (messages: readonly Message[]) => string): string {
  const turn = (role: Message["role"], text: string): Message => ({ role, content: [{ type: "text", text }] });
  const text = render([turn("user", "a"), turn("assistant", CUT), { role: "user", content }]);
  const at = text.lastIndexOf(CUT);
  if (at < 0) throw new UserError("the model's chat template leaves out earlier answers, so no tool can answer one");
  return text.slice(at + CUT.length);
}
