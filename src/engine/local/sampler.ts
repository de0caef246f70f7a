/**
 * Continuous decoding: a prompt is computed once for all its completions, a finished row's place goes to the next one.
 * What is drawn depends on seed, step, prompt, completion and position alone, never on the schedule.
 */
import { forFewLines, withQuantizedWeights } from "../../compiler/rewrite.ts";
import type { Params } from "../../compiler/tensor.ts";
import { type RandomKey, randomKey, uniform } from "../../core/random.ts";
import type { Prompt, SamplingOptions } from "../../core/records.ts";
import { float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import { packedName, scalesName } from "../../models/quantize.ts";
import type { Session } from "../../runtime/session.ts";
import type { Compute } from "./compute.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { placeImages } from "./packing.ts";
import { generateProgram } from "./programs.ts";
import { samplingFeeds, variantOf } from "./trainer.ts";
import { concatenated, encodeImages } from "./vision-runner.ts";

export interface SampledCompletion {
  readonly tokenIds: Int32Array;
  readonly logProbs: Float32Array;
  readonly finishReason: "stop" | "length";
}

export interface SampledGroup {
  readonly index: number;
  readonly completions: readonly SampledCompletion[];
}

export interface DecodeOptions extends SamplingOptions {
  readonly rows: number;
  readonly stopTokenIds: readonly number[];
  /** Features of images under the weights that are sampled from. */
  readonly features?: FeatureCache | null;
}

/** One completion while it grows. */
interface Row {
  readonly group: Group;
  readonly completion: number;
  readonly key: RandomKey;
  readonly tokenIds: number[];
  readonly logProbs: number[];
}

interface Group {
  readonly index: number;
  readonly prompt: Prompt;
  /** The position after the prompt. */
  readonly next: number;
  readonly finished: (SampledCompletion | undefined)[];
}

/** Samples all prompts; calls `onGroup` as soon as a prompt's completions are whole. */
export async function sampleCompletions(
  compute: Compute,
  values: Params<TensorData>,
  prompts: readonly Prompt[],
  o: DecodeOptions,
  onGroup: (group: SampledGroup) => void,
): Promise<void> {
  if (prompts.length === 0) return;
  const { model } = compute;
  const { language } = model;
  const variant = variantOf(o);
  const session = await compute.session(`generate.${JSON.stringify(variant)}`, () =>
    forFewLines(withQuantizedWeights(generateProgram(model, variant), quantizedOnly(values))),
  );
  const encoded = await encodeImages(
    compute,
    values,
    prompts.flatMap((prompt) => prompt.images),
    { cache: o.features ?? null },
  );
  const decoder: Decoder = { session, language, values, sampling: samplingFeeds(model, o) };
  const longest = Math.max(...prompts.map((prompt) => prompt.tokenIds.length));
  const slots = Math.min(o.rows, prompts.length * o.numGenerations);
  const cache = new KeyValueCache(language, slots, longest + o.maxCompletionLength);
  const stops = new Set(o.stopTokenIds);
  const active: Row[] = [];

  const finish = (row: Row, finishReason: SampledCompletion["finishReason"]) => {
    const { group } = row;
    const logProbs = Float32Array.from(row.logProbs);
    group.finished[row.completion] = { tokenIds: Int32Array.from(row.tokenIds), logProbs, finishReason };
    const completions = group.finished.filter((completion) => completion !== undefined);
    if (completions.length === o.numGenerations) onGroup({ index: group.index, completions });
  };
  /** Adds a token; returns whether the row goes on. */
  const extend = (row: Row, token: number, logProb: number): boolean => {
    row.tokenIds.push(token);
    row.logProbs.push(logProb);
    if (stops.has(token)) finish(row, "stop");
    else if (row.tokenIds.length >= o.maxCompletionLength) finish(row, "length");
    else return true;
    return false;
  };

  const starts = startRows();
  for (;;) {
    while (active.length < slots) {
      const started = await starts.next();
      if (started.done) break;
    }
    if (active.length === 0) return;
    const { token, logProb } = await decodeStep(decoder, cache, active);
    for (let i = active.length - 1; i >= 0; i--) {
      if (extend(active[i]!, token[i]!, logProb[i]!)) continue;
      const last = active.length - 1;
      if (i < last) cache.copyRow(last, i, lengthOf(active[last]!) - 1);
      active[i] = active[last]!;
      active.pop();
    }
  }

  /** Prefills prompts in order and puts their completions into free rows, one at a time. */
  async function* startRows(): AsyncGenerator<void> {
    for (const [index, prompt] of prompts.entries()) {
      const own = language.positions(
        prompt.tokenIds,
        prompt.images.map((image) => image.grid),
      );
      const group: Group = { index, prompt, next: own.next, finished: new Array(o.numGenerations).fill(undefined) };
      const key = randomKey(o.seed, "sample", o.step, index);
      const rows = Array.from({ length: o.numGenerations }, (_, completion): Row => {
        return { group, completion, key: randomKey(key.hi, key.lo, completion), tokenIds: [], logProbs: [] };
      });
      const prefilled = await prefill(decoder, group, own.positions, rows);
      for (const [i, row] of rows.entries()) {
        if (!extend(row, prefilled.token[i]!, prefilled.logProb[i]!)) continue;
        cache.load(active.length, prefilled.cache);
        active.push(row);
        yield;
      }
    }
  }

  /** The whole prompt into a cache of its own, and the first token of each row. */
  async function prefill(d: Decoder, group: Group, positions: Int32Array, rows: Row[]) {
    const { prompt } = group;
    const tokens = prompt.tokenIds.length;
    const own = new KeyValueCache(language, 1, tokens);
    const { imageIndex, images } = placeImages(
      [prompt],
      [0],
      tokens,
      model.imageTokenId,
      model.vision.patchesPerToken,
      language.featureLines,
    );
    const features = images.map((image) => encoded.features.get(image.sha256)!);
    const result = await run(d, own, 1, {
      tokenIds: int32([tokens], prompt.tokenIds),
      imageIndex: int32([tokens], imageIndex),
      features: featureTable(features, language.width),
      ...rotaryFeeds(language, positions, [1, tokens]),
      lastPosition: int32([1], [tokens - 1]),
      length: int32([], [tokens]),
      last: int32([rows.length], new Int32Array(rows.length).fill(tokens - 1)),
      uniform: float32(
        [rows.length],
        rows.map(({ key }) => uniform(key, 0)),
      ),
    });
    return { ...result, cache: own };
  }
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

interface Decoder {
  readonly session: Session;
  readonly language: LanguageStack;
  readonly values: Params<TensorData>;
  readonly sampling: Params<TensorData>;
}

/** Tokens of a row so far, prompt included. */
const lengthOf = ({ group, tokenIds }: Row) => group.prompt.tokenIds.length + tokenIds.length;

/** One more token for every active row. */
function decodeStep(d: Decoder, cache: KeyValueCache, active: readonly Row[]) {
  const { language } = d;
  const rows = active.length;
  const positions = new Int32Array(language.positionAxes * rows);
  for (let axis = 0; axis < language.positionAxes; axis++) {
    for (const [i, { group, tokenIds }] of active.entries())
      positions[axis * rows + i] = group.next + tokenIds.length - 1;
  }
  return run(d, cache, rows, {
    tokenIds: int32(
      [rows],
      active.map(({ tokenIds }) => tokenIds.at(-1)!),
    ),
    imageIndex: int32([rows], new Int32Array(rows).fill(-1)),
    features: featureTable([], language.width),
    ...rotaryFeeds(language, positions, [rows, 1]),
    lastPosition: int32(
      [rows],
      active.map((row) => lengthOf(row) - 1),
    ),
    length: int32([], [Math.max(...active.map(lengthOf))]),
    last: int32(
      [rows],
      Int32Array.from({ length: rows }, (_, i) => i),
    ),
    uniform: float32(
      [rows],
      active.map(({ key, tokenIds }) => uniform(key, tokenIds.length)),
    ),
  });
}

async function run(d: Decoder, cache: KeyValueCache, rows: number, feeds: Params<TensorData>) {
  const caches = cache.firstRows(rows);
  const extended = Object.fromEntries(Object.entries(caches).map(([name, cache]) => [`next.${name}`, cache]));
  const outputs = await d.session.run({ ...feeds, ...caches, ...d.sampling, ...d.values }, extended);
  return { token: outputs["token"]!.data as Int32Array, logProb: outputs["logProb"]!.data as Float32Array };
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
