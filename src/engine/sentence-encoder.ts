/**
 * A sentence encoder from a folder in the layout of sentence-transformers' ONNX export: tokens through the model,
 * pooled to one vector per text and, if so configured, normalised. It equals sentence-transformers' `encode`.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import { wordingOf } from "../core/issues.ts";
import { readJson } from "../io/files.ts";
import { loadTokenizer, type Tokenizer } from "../io/tokenizer.ts";
import { type OnnxFile, type OnnxValue, openOnnxFile } from "../runtime/onnx-file.ts";

export interface SentenceEncoder {
  /** One vector per text, in order. */
  encode(texts: readonly string[]): Promise<readonly Float32Array[]>;
  close(): Promise<void>;
}

interface Settings {
  readonly pooling: "mean" | "cls";
  readonly normalise: boolean;
  /** Maximum tokens, including special ones. */
  readonly maxLength: number;
  readonly lowerCase: boolean;
}

/** Opens the encoder; throws UserError naming the file that is missing, damaged or unsupported. */
export async function openSentenceEncoder(folder: string, threads = 0): Promise<SentenceEncoder> {
  const paths = ["model.onnx", join("onnx", "model.onnx")].map((name) => join(folder, name));
  const path = paths.find(existsSync);
  if (path === undefined)
    throw new UserError(`sentence encoder ${folder}: no model.onnx in it, nor in its folder onnx`);
  const settings = readSettings(folder);
  const tokenizer = loadTokenizer(folder);
  const model = await openOnnxFile(path, threads);
  const output = ["sentence_embedding", "last_hidden_state", "token_embeddings"].find((n) => model.outputs.includes(n));
  const unknown = model.inputs.find((name) => !INPUTS.includes(name));
  if (output === undefined || unknown !== undefined) {
    const what = unknown === undefined ? `the outputs ${model.outputs.join(", ")}` : `the input ${unknown}`;
    await model.close();
    throw new UserError(`${path}: ${what} do not fit a sentence encoder (input_ids to last_hidden_state)`);
  }
  return {
    async encode(texts) {
      const vectors: Float32Array[] = [];
      for (let start = 0; start < texts.length; start += BATCH) {
        const ids = texts.slice(start, start + BATCH).map((text) => tokenIds(text, tokenizer, settings));
        vectors.push(...(await encodeBatch(ids, model, output, settings)));
      }
      return vectors;
    },
    close: () => model.close(),
  };
}

const INPUTS = ["input_ids", "attention_mask", "token_type_ids"];
/** Texts per run of the model. */
const BATCH = 32;

async function encodeBatch(
  ids: readonly Int32Array[],
  model: OnnxFile,
  output: string,
  { pooling, normalise }: Settings,
): Promise<readonly Float32Array[]> {
  const B = ids.length;
  const T = ids.reduce((most, { length }) => Math.max(most, length), 1);
  const shape = [B, T];
  const input = new BigInt64Array(B * T);
  const mask = new BigInt64Array(B * T);
  for (const [row, own] of ids.entries()) {
    input.set(BigInt64Array.from(own, BigInt), row * T); // padding is masked, so its id does not matter
    mask.fill(1n, row * T, row * T + own.length);
  }
  const values: Readonly<Record<string, OnnxValue>> = {
    input_ids: { dtype: "int64", shape, data: input },
    attention_mask: { dtype: "int64", shape, data: mask },
    token_type_ids: { dtype: "int64", shape, data: new BigInt64Array(B * T) },
  };
  const feeds = Object.fromEntries(model.inputs.map((name) => [name, values[name]!]));
  const { data, shape: given } = await model.run(feeds, output);
  const width = given.at(-1)!;
  return ids.map(({ length }, row) => {
    const hidden = given.length === 2 ? data.subarray(row * width, (row + 1) * width) : data.subarray(row * T * width);
    const tokens = given.length === 2 || pooling === "cls" ? 1 : length;
    const vector = meanOf(hidden, tokens, width);
    return normalise ? unit(vector) : vector;
  });
}

/** Mean of the first `tokens` rows of width `width`. */
function meanOf(hidden: Float32Array, tokens: number, width: number): Float32Array {
  const sum = new Float64Array(width);
  for (let t = 0; t < tokens; t++) for (let i = 0; i < width; i++) sum[i]! += hidden[t * width + i]!;
  return Float32Array.from(sum, (value) => value / Math.max(1, tokens));
}

function unit(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / Math.max(norm, 1e-12));
}

/** The text's tokens with special tokens, truncated to the maximum length. */
function tokenIds(text: string, tokenizer: Tokenizer, { maxLength, lowerCase }: Settings): Int32Array {
  const input = lowerCase ? text.toLowerCase() : text;
  const content = tokenizer.encode(input);
  const { before, after } = tokenizer.surrounding();
  const kept = content.subarray(0, Math.max(0, maxLength - before.length - after.length));
  return Int32Array.from([...before, ...kept, ...after]);
}

const modulesSchema = z.array(z.looseObject({ path: z.string(), type: z.string() }));
const poolingSchema = z.looseObject({
  pooling_mode: z.string().optional(),
  pooling_mode_cls_token: z.boolean().default(false),
  pooling_mode_mean_tokens: z.boolean().default(false),
  pooling_mode_max_tokens: z.boolean().default(false),
  pooling_mode_mean_sqrt_len_tokens: z.boolean().default(false),
  pooling_mode_weightedmean_tokens: z.boolean().default(false),
  pooling_mode_lasttoken: z.boolean().default(false),
});
const limitSchema = z.looseObject({
  max_seq_length: z.int().positive().nullish(),
  do_lower_case: z.boolean().nullish(),
});
const configSchema = z.looseObject({ max_position_embeddings: z.int().positive().nullish() });

/** Without modules.json: mean pooling without normalisation, as sentence-transformers treats a plain model. */
function readSettings(folder: string): Settings {
  const modules = readPart(modulesSchema, folder, "modules.json") ?? [];
  const kindOf = (type: string) => type.split(".").at(-1)!;
  const other = modules.find(({ type }) => !["Transformer", "Pooling", "Normalize"].includes(kindOf(type)));
  if (other !== undefined) {
    throw new UserError(`sentence encoder ${folder}: its module ${kindOf(other.type)} is not supported`);
  }
  const place = modules.find(({ type }) => kindOf(type) === "Pooling")?.path ?? "1_Pooling";
  const limits = readPart(limitSchema, folder, "sentence_bert_config.json");
  const config = readPart(configSchema, folder, "config.json");
  return {
    pooling: readPooling(folder, place),
    normalise: modules.some(({ type }) => kindOf(type) === "Normalize"),
    maxLength: limits?.max_seq_length ?? config?.max_position_embeddings ?? 512,
    lowerCase: limits?.do_lower_case ?? false,
  };
}

function readPooling(folder: string, place: string): "mean" | "cls" {
  const file = join(place, "config.json");
  const pooling = readPart(poolingSchema, folder, file);
  if (pooling === null) return "mean";
  const { pooling_mode: mode, ...flags } = pooling;
  const asked = Object.entries(flags).flatMap(([key, on]) =>
    on === true && key.startsWith("pooling_mode_") ? [key] : [],
  );
  const modes = mode === undefined ? asked : [mode];
  if (modes.length === 1 && /^(?:pooling_mode_)?mean(?:_tokens)?$/.test(modes[0]!)) return "mean";
  if (modes.length === 1 && /^(?:pooling_mode_)?cls(?:_token)?$/.test(modes[0]!)) return "cls";
  throw new UserError(`${join(folder, file)}: pooling must be mean or cls, got ${modes.join(", ") || "none"}`);
}

/** Null if the file is missing. */
function readPart<T>(schema: z.ZodType<T>, folder: string, name: string): T | null {
  const path = join(folder, name);
  if (!existsSync(path)) return null;
  const result = schema.safeParse(readJson(path, "sentence encoder"));
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UserError(
    `sentence encoder ${path} is not valid: ${issue.path.join(".") || "the whole file"}: ${wordingOf(issue)}`,
  );
}
