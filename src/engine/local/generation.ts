/**
 * Runs the generation program: prefill of a prompt, or one decode step for every row over the caches. Each row has its
 * own sampling distribution and random numbers, so rows of different requests share a batch.
 */
import { forSmallBatch, withQuantizedWeights } from "../../compiler/rewrite.ts";
import type { Params } from "../../compiler/tensor.ts";
import { type RandomKey, uniform } from "../../core/random.ts";
import type { Prompt, SamplingOptions, TokenStat } from "../../core/records.ts";
import { concatenated, float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import { EXCLUDED, type SamplingVariant } from "../../nn/sampling.ts";
import type { Compute } from "./compute.ts";
import type { DecodingCaches } from "./decoding-caches.ts";
import { fusedValues } from "./fused-weights.ts";
import { generateProgram } from "./generate-program.ts";
import { bannedTokens } from "./head-chunks.ts";
import { KeyValueCache, type NewTokens } from "./key-value-cache.ts";
import { placeImages } from "./packing.ts";
import type { Prefix } from "./prefix-cache.ts";
import { quantizedOnly } from "./weight-store.ts";

/** A prompt in the KV cache; its rows refer to it by object identity. */
export interface CachedPrompt {
  /** Tokens. */
  readonly length: number;
  /** The position after it. */
  readonly next: number;
}

/** The program's inputs for a completion during decoding. */
export interface GenerationRow {
  readonly prompt: CachedPrompt;
  readonly key: RandomKey;
  readonly distribution: Pick<SamplingOptions, "temperature" | "topP" | "topK">;
  readonly tokenIds: readonly number[];
}

/** A token for each row, its log-prob under the row's distribution, and the keys and values of the tokens processed. */
export interface GeneratedTokens {
  readonly token: Int32Array;
  readonly logProb: Float32Array;
  /** Those that the generation was opened with, by name. */
  readonly stats: TokenStats;
  readonly added: NewTokens;
}

/** Statistics of tokens, each a list in the tokens' order. */
export type TokenStats = Readonly<Partial<Record<TokenStat, Float32Array>>>;

export interface Generation {
  /**
   * The first token of each row after the whole prompt; `positions` of its tokens are [axes x tokens]. With a prefix, only
   * the tokens behind it are computed, and returned.
   */
  prefill(
    prompt: Prompt,
    positions: Int32Array,
    features: ReadonlyMap<string, Float32Array>,
    rows: readonly GenerationRow[],
    prefix: Prefix | null,
  ): Promise<GeneratedTokens>;
  /** One more token for each row. Prompt i and row i are at slot i of their caches. All rows share one top-k. */
  step(
    caches: DecodingCaches,
    prompts: readonly CachedPrompt[],
    rows: readonly GenerationRow[],
  ): Promise<GeneratedTokens>;
}

export function openGeneration(
  compute: Compute,
  values: Params<TensorData>,
  stats: readonly TokenStat[] = [],
): Generation {
  const { model } = compute;
  const { language } = model;
  const banned = bannedTokens(compute);
  const nothingCached = Object.fromEntries(
    Object.entries(emptyCaches(language)).map(([name, table]) => [name, compute.table(`empty.${name}`, () => table)]),
  );
  // On a device a fused weight would be a copy, and so would an integer weight in the program.
  const onHost = compute.arrays.memory === null;
  const weights = onHost ? { ...values, ...fusedValues(model, values) } : values;
  const integers = onHost ? quantizedOnly(values) : "fed";
  // A program with a quantised base holds the integer weights, so one program serves both prefill and decode.
  const single = integers === "fed" || Object.keys(integers).length === 0 ? 1 : "tokens";
  const run = async (
    rows: readonly GenerationRow[],
    tokens: "tokens" | 1,
    feeds: Params<TensorData>,
  ): Promise<GeneratedTokens> => {
    const variant = variantOf(rows);
    const session = await compute.session(
      `generate.${tokens}.${JSON.stringify([variant, stats])}`,
      () => {
        const program = withQuantizedWeights(generateProgram(model, variant, tokens, stats, onHost), integers);
        return onHost ? forSmallBatch(program) : program;
      },
      (output) => output === "added",
    );
    const outputs = await session.run({ ...feeds, ...distributionFeeds(variant, rows), banned }, weights);
    const { token, logProb, added } = outputs as Record<"token" | "logProb" | "added", TensorData>;
    return {
      token: token.data as Int32Array,
      logProb: logProb.data as Float32Array,
      stats: Object.fromEntries(stats.map((name) => [name, outputs[name]!.data as Float32Array])),
      added,
    };
  };

  return {
    prefill(prompt, allPositions, features, rows, prefix) {
      const known = prefix?.tokenIds.length ?? 0;
      const tokenIds = prompt.tokenIds.subarray(known);
      const tokens = tokenIds.length;
      const positions = lastOf(allPositions, language.positionAxes, tokens);
      const { imageIndex, images } = placeImages(
        [{ tokenIds, images: prompt.images.slice(prefix?.images.length ?? 0), at: 0 }],
        tokens,
        model.imageTokenId,
        model.vision.patchesPerToken,
        language.featureLevels,
      );
      return run(rows, "tokens", {
        tokenIds: int32([tokens], tokenIds),
        imageIndex: int32([tokens], imageIndex),
        features: featureTable(
          images.map((image) => features.get(image.sha256)!),
          language.width,
        ),
        ...rotaryFeeds(language, positions, [1, tokens]),
        ...nothingCached,
        ...(prefix === null ? {} : prefixFeeds(prefix, language)),
        bias: biasOf([{ prompt: known, past: 0 }], { prompt: Math.max(1, known), past: 1, tokens }),
        last: int32([rows.length], new Int32Array(rows.length).fill(tokens - 1)),
      });
    },

    step(caches, prompts, rows) {
      const count = rows.length;
      const positions = new Int32Array(language.positionAxes * count);
      for (let axis = 0; axis < language.positionAxes; axis++) {
        for (const [i, { prompt, tokenIds }] of rows.entries()) {
          positions[axis * count + i] = prompt.next + tokenIds.length - 1;
        }
      }
      const newest = rows.map(({ tokenIds }) => tokenIds.at(-1)!);
      const lengths = rows.map(({ prompt, tokenIds }) => ({ prompt: prompt.length, past: tokenIds.length - 1 }));
      return run(rows, single, {
        tokenIds: int32([count], newest),
        imageIndex: int32([count], new Int32Array(count).fill(-1)),
        features: featureTable([], language.width),
        ...rotaryFeeds(language, positions, [count, 1]),
        ...caches.prompts.first(prompts.length),
        ...caches.rows.first(count),
        ...placeRows(prompts, rows, language.keyValueHeads),
        bias: biasOf(lengths, { prompt: caches.prompts.capacity, past: caches.rows.capacity, tokens: 1 }),
        last: int32(
          [count],
          Int32Array.from({ length: count }, (_, i) => i),
        ),
      });
    },
  };
}

/** Of values [axes x all], the last `count` of each axis. */
function lastOf(values: Int32Array, axes: number, count: number): Int32Array {
  const all = values.length / axes;
  if (count === all) return values;
  const last = new Int32Array(axes * count);
  for (let axis = 0; axis < axes; axis++) {
    last.set(values.subarray((axis + 1) * all - count, (axis + 1) * all), axis * count);
  }
  return last;
}

/** In place of a prompt's cache: a slot that holds the prefix alone. */
function prefixFeeds({ tokenIds, values }: Prefix, { keyValueHeads, headDim }: LanguageStack): Params<TensorData> {
  const shape = [keyValueHeads, 1, tokenIds.length, headDim];
  return Object.fromEntries([...values].map(([name, data]) => [`prompt.${name}`, float32(shape, data)]));
}

/**
 * Assigns rows to prompts per head: every prompt gets as many places as the one with the most rows.
 * src/nn/cached-attention.ts defines the two tables.
 */
function placeRows(
  prompts: readonly CachedPrompt[],
  rows: readonly GenerationRow[],
  heads: number,
): Params<TensorData> {
  const own = prompts.map((prompt) => rows.flatMap((row, i) => (row.prompt === prompt ? [i] : [])));
  const places = Math.max(...own.map(({ length }) => length));
  const rowHeadAt = new Int32Array(prompts.length * heads * places);
  const placeOf = new Int32Array(rows.length * heads);
  for (const [g, members] of own.entries()) {
    for (const [k, row] of members.entries()) {
      for (let head = 0; head < heads; head++) {
        const place = (g * heads + head) * places + k;
        rowHeadAt[place] = row * heads + head;
        placeOf[row * heads + head] = place;
      }
    }
  }
  return { rowHeadAt: int32([rowHeadAt.length], rowHeadAt), placeOf: int32([placeOf.length], placeOf) };
}

/**
 * [rows, tokens, prompt + past + tokens]: masks cache entries beyond each row's lengths, and later new tokens (causal).
 */
function biasOf(
  lengths: readonly { readonly prompt: number; readonly past: number }[],
  { prompt, past, tokens }: { readonly prompt: number; readonly past: number; readonly tokens: number },
): TensorData {
  const visible = prompt + past + tokens;
  const bias = new Float32Array(lengths.length * tokens * visible);
  for (const [i, length] of lengths.entries()) {
    for (let t = 0; t < tokens; t++) {
      const row = bias.subarray((i * tokens + t) * visible, (i * tokens + t + 1) * visible);
      row.fill(EXCLUDED, length.prompt, prompt);
      row.fill(EXCLUDED, prompt + length.past, prompt + past);
      row.fill(EXCLUDED, prompt + past + t + 1);
    }
  }
  return float32([lengths.length, tokens, visible], bias);
}

/** A masked prompt and a masked past of one position each, for a row that has neither yet. */
function emptyCaches(language: LanguageStack): Params<TensorData> {
  const empty = (prefix: string) => new KeyValueCache(language, { prefix, slots: 1, capacity: 1 }).first(1);
  const heads = int32(
    [language.keyValueHeads],
    Int32Array.from({ length: language.keyValueHeads }, (_, i) => i),
  );
  return { ...empty("prompt."), ...empty("past."), rowHeadAt: heads, placeOf: heads };
}

/** The cheapest program variant that serves all rows. */
function variantOf(rows: readonly GenerationRow[]): SamplingVariant {
  const drawn = rows.filter(({ distribution }) => distribution.temperature > 0);
  const greedy = drawn.length === 0 ? true : drawn.length < rows.length && "some";
  return {
    greedy,
    topK: drawn[0]?.distribution.topK ?? 0,
    topP: drawn.some(({ distribution }) => distribution.topP < 1),
  };
}

/** One entry per row; src/nn/sampling.ts defines the values for greedy rows and rows without top-p. */
function distributionFeeds({ topP }: SamplingVariant, rows: readonly GenerationRow[]): Params<TensorData> {
  const column = (values: readonly number[]) => float32([rows.length, 1], values);
  const isGreedy = ({ distribution }: GenerationRow) => distribution.temperature === 0;
  const keepsAll = (row: GenerationRow) => isGreedy(row) || row.distribution.topP === 1;
  return {
    temperature: column(rows.map((row) => (isGreedy(row) ? 1 : row.distribution.temperature))),
    ...(topP ? { topP: column(rows.map((row) => (keepsAll(row) ? 2 : row.distribution.topP))) } : {}),
    uniform: float32(
      [rows.length],
      rows.map((row) => (isGreedy(row) ? -1 : uniform(row.key, row.tokenIds.length))),
    ),
  };
}

function rotaryFeeds(language: LanguageStack, positions: Int32Array, [rows, tokens]: readonly [number, number]) {
  const { cos, sin } = language.rotary(positions);
  const shape = [rows, tokens, language.headDim / 2];
  return { cos: float32(shape, cos), sin: float32(shape, sin) };
}

function featureTable(features: readonly Float32Array[], width: number): TensorData {
  const data = features.length > 0 ? concatenated(features) : new Float32Array(width);
  return float32([data.length / width, width], data);
}
