/**
 * Runs the generation program: a prompt at once into a cache of its own, or one more token for every row of a cache. Each
 * row brings the distribution and the random numbers it draws with, so rows of different requests run together.
 */
import { forFewLines, withQuantizedWeights } from "../../compiler/rewrite.ts";
import type { Params } from "../../compiler/tensor.ts";
import { type RandomKey, uniform } from "../../core/random.ts";
import type { Prompt, SamplingOptions } from "../../core/records.ts";
import { float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import { packedName, scalesName } from "../../models/quantize.ts";
import type { SamplingVariant } from "../../nn/sampling.ts";
import type { Session } from "../../runtime/session.ts";
import type { Compute } from "./compute.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { placeImages } from "./packing.ts";
import { generateProgram } from "./programs.ts";
import { bannedTokens } from "./trainer.ts";
import { concatenated } from "./vision-runner.ts";

/** What the program is told of a completion that grows. */
export interface GenerationRow {
  readonly key: RandomKey;
  readonly distribution: Pick<SamplingOptions, "temperature" | "topP" | "topK">;
  /** Tokens of the prompt. */
  readonly promptLength: number;
  /** The position after the prompt. */
  readonly next: number;
  readonly tokenIds: readonly number[];
}

/** A token for each row, and its log-prob under the row's distribution. */
export interface GeneratedTokens {
  readonly token: Int32Array;
  readonly logProb: Float32Array;
}

export interface Generation {
  /** The whole prompt, at positions [axes x tokens], into a new cache of one row, and the first token of each row. */
  prefill(
    prompt: Prompt,
    positions: Int32Array,
    features: ReadonlyMap<string, Float32Array>,
    rows: readonly GenerationRow[],
  ): Promise<GeneratedTokens & { readonly cache: KeyValueCache }>;
  /** One more token for each row; row i lies at i in the cache. All of one top-k. */
  step(cache: KeyValueCache, rows: readonly GenerationRow[]): Promise<GeneratedTokens>;
}

/** Tokens of a row so far, prompt included. */
export const lengthOf = ({ promptLength, tokenIds }: GenerationRow) => promptLength + tokenIds.length;

export function openGeneration(compute: Compute, values: Params<TensorData>): Generation {
  const { model } = compute;
  const { language } = model;
  const banned = bannedTokens(model);
  const program = (variant: SamplingVariant): Promise<Session> =>
    compute.session(`generate.${JSON.stringify(variant)}`, () =>
      forFewLines(withQuantizedWeights(generateProgram(model, variant), quantizedOnly(values))),
    );
  const run = async (
    cache: KeyValueCache,
    rows: number,
    lines: readonly GenerationRow[],
    feeds: Params<TensorData>,
  ) => {
    const variant = variantOf(lines);
    const caches = cache.firstRows(rows);
    const extended = Object.fromEntries(Object.entries(caches).map(([name, cache]) => [`next.${name}`, cache]));
    const session = await program(variant);
    const all = { ...feeds, ...distributionFeeds(variant, lines), ...caches, banned, ...values };
    const outputs = await session.run(all, extended);
    return { token: outputs["token"]!.data as Int32Array, logProb: outputs["logProb"]!.data as Float32Array };
  };

  return {
    async prefill(prompt, positions, features, rows) {
      const tokens = prompt.tokenIds.length;
      const cache = new KeyValueCache(language, 1, tokens);
      const { imageIndex, images } = placeImages(
        [prompt],
        [0],
        tokens,
        model.imageTokenId,
        model.vision.patchesPerToken,
        language.featureLines,
      );
      const result = await run(cache, 1, rows, {
        tokenIds: int32([tokens], prompt.tokenIds),
        imageIndex: int32([tokens], imageIndex),
        features: featureTable(
          images.map((image) => features.get(image.sha256)!),
          language.width,
        ),
        ...rotaryFeeds(language, positions, [1, tokens]),
        lastPosition: int32([1], [tokens - 1]),
        length: int32([], [tokens]),
        last: int32([rows.length], new Int32Array(rows.length).fill(tokens - 1)),
      });
      return { ...result, cache };
    },

    step(cache, rows) {
      const count = rows.length;
      const positions = new Int32Array(language.positionAxes * count);
      for (let axis = 0; axis < language.positionAxes; axis++) {
        for (const [i, { next, tokenIds }] of rows.entries()) positions[axis * count + i] = next + tokenIds.length - 1;
      }
      const newest = rows.map(({ tokenIds }) => tokenIds.at(-1)!);
      return run(cache, count, rows, {
        tokenIds: int32([count], newest),
        imageIndex: int32([count], new Int32Array(count).fill(-1)),
        features: featureTable([], language.width),
        ...rotaryFeeds(language, positions, [count, 1]),
        lastPosition: int32(
          [count],
          rows.map((row) => lengthOf(row) - 1),
        ),
        length: int32([], [Math.max(...rows.map(lengthOf))]),
        last: int32(
          [count],
          Int32Array.from({ length: count }, (_, i) => i),
        ),
      });
    },
  };
}

/** The least program that serves all rows. */
function variantOf(rows: readonly GenerationRow[]): SamplingVariant {
  const drawn = rows.filter(({ distribution }) => distribution.temperature > 0);
  const greedy = drawn.length === 0 ? true : drawn.length < rows.length && "some";
  return {
    greedy,
    topK: drawn[0]?.distribution.topK ?? 0,
    topP: drawn.some(({ distribution }) => distribution.topP < 1),
  };
}

/** A line per row, by the conventions of src/nn/sampling.ts for rows that are greedy or keep all tokens. */
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

/** Integers and their scales never change, so that the program may hold them. */
function quantizedOnly(values: Params<TensorData>): Params<TensorData> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      const weight = name.slice(0, -packedName("").length);
      return value.dtype === "uint8"
        ? [
            [name, value],
            [scalesName(weight), values[scalesName(weight)]!],
          ]
        : [];
    }),
  );
}

function rotaryFeeds(language: LanguageStack, positions: Int32Array, [rows, tokens]: readonly [number, number]) {
  const { cos, sin } = language.rotary(positions);
  const shape = [rows, tokens, language.headDim];
  return { cos: float32(shape, cos), sin: float32(shape, sin) };
}

function featureTable(features: readonly Float32Array[], width: number): TensorData {
  const data = features.length > 0 ? concatenated(features) : new Float32Array(width);
  return float32([data.length / width, width], data);
}
