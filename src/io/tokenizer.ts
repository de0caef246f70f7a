/** A model folder's tokenizer.json: text to token ids and back, as transformers gives them without added special tokens. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as Backend } from "@huggingface/tokenizers";
import { z } from "zod";
import { messageOf, UserError } from "../core/errors.ts";
import { problemOf } from "../core/issues.ts";
import { readJson, readText } from "./files.ts";
import { createTimeLimit, type TimeLimit } from "./time-limit.ts";

export interface Tokenizer {
  /** Special tokens spelled out in the text become their single ids; none is added. */
  encode(text: string): Int32Array;
  /** The special tokens that tokenizer.json itself puts before and after a text ([CLS] … [SEP]); `encode` leaves them out. */
  surrounding(): { readonly before: Int32Array; readonly after: Int32Array };
  /** Ids without a token (rows a model has beyond its tokenizer) give no text; cut UTF-8 gives U+FFFD. */
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  idOf(token: string): number | undefined;
  /** Largest id + 1; a model may have more rows. */
  readonly vocabSize: number;
  /** Ascending. */
  readonly specialTokenIds: readonly number[];
  /** The special tokens' texts, in the order of their ids. */
  readonly specialTokens: readonly string[];
  /** The texts of all tokens that tokenizer.json adds to its vocabulary, special or not. */
  readonly addedTokens: readonly string[];
  /** From chat_template.jinja, chat_template.json or tokenizer_config.json, in this order. */
  readonly chatTemplate: string | null;
  /** The file that the chat template stands in, and its key there; null without one. */
  readonly templateSource: string | null;
  /** The names of the templates in tokenizer_config.json where none of them is called "default". */
  readonly otherTemplates: readonly string[];
  /** What tokenizer_config.json names bos_token, eos_token…: chat templates may use them. */
  readonly namedTokens: Readonly<Record<string, string>>;
}

/** Tables are as long as the largest id says; real vocabularies end below 300,000. */
const MAX_ID = 2 ** 22;
const addedToken = z.looseObject({
  id: z.int().min(0).max(MAX_ID),
  content: z.string().min(1),
  special: z.boolean().optional(),
});
const tokenizerSchema = z.looseObject({ model: z.looseObject({}), added_tokens: z.array(addedToken).default([]) });
const tokenText = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);
const namedTokenKeys = [
  "bos_token",
  "eos_token",
  "unk_token",
  "pad_token",
  "sep_token",
  "cls_token",
  "mask_token",
] as const;
const configSchema = z.looseObject({
  eos_token: tokenText.nullish(),
  additional_special_tokens: z.array(tokenText).nullish(),
  extra_special_tokens: z.union([z.array(tokenText), z.record(z.string(), tokenText)]).nullish(),
  clean_up_tokenization_spaces: z.boolean().nullish(),
  chat_template: z
    .union([
      z.string(),
      z.array(z.looseObject({ name: z.string(), template: z.string() })),
      z.record(z.string(), z.string()),
    ])
    .nullish(),
});

/**
 * Loads tokenizer.json with, where present, tokenizer_config.json and the chat template. `markers` are special tokens
 * whether or not the files mark them so. Throws UserError naming the file.
 */
export function loadTokenizer(folder: string, markers: readonly string[] = []): Tokenizer {
  const path = join(folder, "tokenizer.json");
  const json = parse(tokenizerSchema, path, "tokenizer");
  const configPath = join(folder, "tokenizer_config.json");
  const config = existsSync(configPath) ? parse(configSchema, configPath, "tokenizer configuration") : {};

  checkIds(json.model, path);
  checkMerges(json.model, path);
  const limit = createTimeLimit();
  // Only a pattern can run for ever, and a limit costs more than the decoding of a token (it starts a thread).
  const decodeLimit: TimeLimit = /"Regex"/.test(JSON.stringify(json["decoder"] ?? null)) ? limit : (_, work) => work();
  const backend = limit(`reading ${path}`, () => build(json, path));
  const ids = new Map<string, number>();
  limit(`reading ${path}`, () => {
    for (const [token, id] of backend.get_vocab()) if (token !== undefined) ids.set(token, id);
  });
  const vocabSize = [...ids.values()].reduce((largest, id) => Math.max(largest, id), -1) + 1;
  const specialIds = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.id));
  const namedTokens = readNamedTokens(config);
  for (const token of [...markers, ...extraSpecialTokens(config), ...Object.values(namedTokens)]) {
    const id = ids.get(token);
    if (id !== undefined) specialIds.add(id);
  }
  const specialTokenIds = [...specialIds].sort((a, b) => a - b);
  const { template, source, others } = findChatTemplate(folder, config);

  return {
    encode: (text) => limit(`turning a text into tokens with ${path}`, () => encode(backend, text, path)),
    surrounding: () => limit(`turning a text into tokens with ${path}`, () => surrounding(backend, path)),
    decode: (sequence, { skipSpecialTokens = false } = {}) => {
      const kept = Array.from(sequence).filter(
        (id) => backend.id_to_token(id) !== undefined && !(skipSpecialTokens && specialIds.has(id)),
      );
      if (kept.length === 0) return "";
      const spaces = { clean_up_tokenization_spaces: config.clean_up_tokenization_spaces ?? false };
      return decodeLimit(`turning tokens into text with ${path}`, () => decode(backend, kept, spaces, path));
    },
    idOf: (token) => ids.get(token),
    vocabSize,
    specialTokenIds,
    specialTokens: specialTokenIds.map((id) => backend.id_to_token(id)!),
    addedTokens: json.added_tokens.map(({ content }) => content),
    chatTemplate: template,
    templateSource: source,
    otherTemplates: others,
    namedTokens,
  };
}

type Config = z.infer<typeof configSchema>;

/** The vocabulary is too large for the schema to look at each entry. */
function checkIds({ type, vocab }: { readonly type?: unknown; readonly vocab?: unknown }, path: string): void {
  if (typeof vocab !== "object" || vocab === null) {
    if (vocab === undefined) return; // of a kind that the library refuses by its name
    throw new UserError(`tokenizer ${path}: model.vocab: expected the tokens with their ids`);
  }
  if (Object.keys(vocab).length === 0) {
    throw new UserError(
      `tokenizer ${path}: model.vocab is empty, so no text has tokens: take another copy of the file`,
    );
  }
  if (Array.isArray(vocab)) {
    // A unigram model lists pairs of token and score, whose places are the ids.
    const isPair = (item: unknown) => Array.isArray(item) && typeof item[0] === "string" && Number.isFinite(item[1]);
    if (type === "Unigram" && vocab.length <= MAX_ID && vocab.every(isPair)) return;
    throw new UserError(
      `tokenizer ${path}: model.vocab is a list, but not one of tokens and scores of a Unigram model`,
    );
  }
  for (const [token, id] of Object.entries(vocab)) {
    if (Number.isInteger(id) && id >= 0 && id <= MAX_ID) continue;
    const shown = `${JSON.stringify(token.slice(0, 40))} as ${typeof id === "number" ? id : typeof id}`;
    throw new UserError(`tokenizer ${path}: model.vocab has ${shown}; an id must be a whole number up to ${MAX_ID}`);
  }
}

/** Of a BPE model: both parts of a merge and what they make are tokens, as the tokenizers library asks. */
function checkMerges({ vocab, merges }: Readonly<Record<string, unknown>>, path: string): void {
  if (!Array.isArray(merges) || vocab === undefined) return;
  const known = new Set(Object.keys(vocab as object));
  for (const [i, merge] of merges.entries()) {
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const isPair = Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === "string");
    if (isPair && [...parts, parts.join("")].every((token) => known.has(token as string))) continue;
    const shown = JSON.stringify(merge)?.slice(0, 60);
    throw new UserError(
      `tokenizer ${path}: model.merges.${i}: ${shown} is no pair of tokens of model.vocab that makes another: take both from one file`,
    );
  }
}

function build(json: z.infer<typeof tokenizerSchema>, path: string): Backend {
  const absent = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  try {
    return new Backend({ ...absent, ...json }, {});
  } catch (error) {
    throw new UserError(`${path} is not a tokenizer that can be read: ${brief(error)}`, { cause: error });
  }
}

function encode(backend: Backend, text: string, path: string, addSpecialTokens = false): Int32Array {
  if (text === "") return new Int32Array(0);
  let ids: readonly (number | undefined)[];
  try {
    ids = backend.encode(text, { add_special_tokens: addSpecialTokens }).ids;
  } catch (error) {
    throw new UserError(`${path} cannot turn texts into tokens: ${brief(error)}`, { cause: error });
  }
  return Int32Array.from(ids, (id) => {
    if (id === undefined) throw new UserError(`${path} has no token for a part of ${JSON.stringify(text)}`);
    return id;
  });
}

/** What stands around a probe when the post-processor has done its work. */
function surrounding(backend: Backend, path: string): { readonly before: Int32Array; readonly after: Int32Array } {
  const probe = encode(backend, "a", path);
  const whole = encode(backend, "a", path, true);
  let at = 0;
  while (at + probe.length < whole.length && !probe.every((id, i) => whole[at + i] === id)) at++;
  return { before: whole.slice(0, at), after: whole.slice(at + probe.length) };
}

function decode(backend: Backend, ids: number[], spaces: Parameters<Backend["decode"]>[1], path: string): string {
  try {
    return backend.decode(ids, spaces);
  } catch (error) {
    throw new UserError(`${path} cannot turn tokens into text: ${brief(error)}`, { cause: error });
  }
}

/** Tokens that the configuration calls special, whether or not tokenizer.json marks them so. */
function extraSpecialTokens(config: Config): readonly string[] {
  const extra = config.extra_special_tokens ?? [];
  return [...(config.additional_special_tokens ?? []), ...(Array.isArray(extra) ? extra : Object.values(extra))];
}

function readNamedTokens(config: Config): Record<string, string> {
  const found = namedTokenKeys.map((key) => [key, tokenText.safeParse(config[key]).data] as const);
  return Object.fromEntries(found.filter((entry): entry is [(typeof entry)[0], string] => entry[1] !== undefined));
}

interface FoundTemplate {
  readonly template: string | null;
  readonly source: string | null;
  /** Names of templates of which none is the default. */
  readonly others: readonly string[];
}

function findChatTemplate(folder: string, config: Config): FoundTemplate {
  const only = (template: string | null, source: string) => {
    return { template, source: template === null ? null : source, others: [] };
  };
  const jinja = join(folder, "chat_template.jinja");
  if (existsSync(jinja)) return only(readText(jinja, "chat template"), jinja);
  const legacy = join(folder, "chat_template.json");
  if (existsSync(legacy)) {
    const { chat_template } = parse(z.looseObject({ chat_template: z.string() }), legacy, "chat template");
    return only(chat_template, `${legacy}: chat_template`);
  }
  const given = config.chat_template ?? null;
  const key = `${join(folder, "tokenizer_config.json")}: chat_template`;
  if (given === null || typeof given === "string") return only(given, key);
  const byName = new Map(
    Array.isArray(given) ? given.map(({ name, template }) => [name, template] as const) : Object.entries(given),
  );
  const template = byName.get("default");
  return template === undefined ? { template: null, source: null, others: [...byName.keys()] } : only(template, key);
}

function parse<T>(schema: z.ZodType<T>, path: string, what: string): T {
  const result = schema.safeParse(readJson(path, what));
  if (result.success) return result.data;
  const { path: key, message } = problemOf(result.error.issues[0]!);
  throw new UserError(`${what} ${path} is not valid: ${key.join(".") || "the whole file"}: ${message}`);
}

/** The library quotes what it could not use, however long and whatever it is. */
function brief(error: unknown): string {
  return messageOf(error).replace(/\s+/g, " ").replaceAll("[object Object]", "an object").slice(0, 200);
}
