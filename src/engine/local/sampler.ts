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
import { EXCLUDED } from "../../nn/sampling.ts";
import type { Session } from "../../runtime/session.ts";
import type { Compute } from "./compute.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { placeImages } from "./packing.ts";
import { generateProgram } from "./programs.ts";
import { causalMask, samplingFeeds, variantOf } from "./trainer.ts";
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

/** A prompt of which some completions are not finished; its place among them is its line in the prompts' cache. */
interface Group {
  readonly index: number;
  readonly prompt: Prompt;
  /** The position after the prompt. */
  readonly next: number;
  readonly finished: (SampledCompletion | undefined)[];
}

/** The caches of decoding: one line per open group, one per active row. */
interface Caches {
  readonly prompts: KeyValueCache;
  readonly rows: KeyValueCache;
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
  const lines = Math.min(slots, prompts.length);
  const caches: Caches = {
    prompts: new KeyValueCache(language, { prefix: "prompt.", lines, capacity: longest }),
    rows: new KeyValueCache(language, { prefix: "past.", lines: slots, capacity: 1 }),
  };
  const stops = new Set(o.stopTokenIds);
  const active: Row[] = [];
  const open: Group[] = [];

  const finish = (row: Row, finishReason: SampledCompletion["finishReason"]) => {
    const { group } = row;
    const logProbs = Float32Array.from(row.logProbs);
    group.finished[row.completion] = { tokenIds: Int32Array.from(row.tokenIds), logProbs, finishReason };
    const completions = group.finished.filter((completion) => completion !== undefined);
    if (completions.length < o.numGenerations) return;
    close(group);
    onGroup({ index: group.index, completions });
  };
  const close = (group: Group) => {
    const [line, last] = [open.indexOf(group), open.length - 1];
    const moved = open.pop()!;
    if (line === last) return;
    caches.prompts.copy(last, line, moved.prompt.tokenIds.length);
    open[line] = moved;
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
    const { token, logProb, added } = await decodeStep(decoder, caches, open, active, o.maxCompletionLength);
    for (const [i, row] of active.entries()) caches.rows.write(i, row.tokenIds.length - 1, added, i);
    for (let i = active.length - 1; i >= 0; i--) {
      if (extend(active[i]!, token[i]!, logProb[i]!)) continue;
      const last = active.length - 1;
      if (i < last) caches.rows.copy(last, i, active[last]!.tokenIds.length - 1);
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
      caches.prompts.write(open.length, 0, prefilled.added, 0);
      open.push(group);
      for (const [i, row] of rows.entries()) {
        if (!extend(row, prefilled.token[i]!, prefilled.logProb[i]!)) continue;
        active.push(row);
        yield;
      }
    }
  }

  /** Keys and values of the whole prompt, and the first token of each row. */
  function prefill(d: Decoder, group: Group, positions: Int32Array, rows: Row[]) {
    const { prompt } = group;
    const tokens = prompt.tokenIds.length;
    const { imageIndex, images } = placeImages(
      [prompt],
      [0],
      tokens,
      model.imageTokenId,
      model.vision.patchesPerToken,
      language.featureLines,
    );
    const features = images.map((image) => encoded.features.get(image.sha256)!);
    return run(d, {
      tokenIds: int32([tokens], prompt.tokenIds),
      imageIndex: int32([tokens], imageIndex),
      features: featureTable(features, language.width),
      ...rotaryFeeds(language, positions, [1, tokens]),
      ...emptyCaches(language),
      causal: causalMask(tokens),
      last: int32([rows.length], new Int32Array(rows.length).fill(tokens - 1)),
      uniform: float32(
        [rows.length],
        rows.map(({ key }) => uniform(key, 0)),
      ),
    });
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

/** One more token for every active row. */
function decodeStep(d: Decoder, caches: Caches, open: readonly Group[], active: readonly Row[], longest: number) {
  const { language } = d;
  const rows = active.length;
  const most = Math.max(...active.map(({ tokenIds }) => tokenIds.length));
  if (most > caches.rows.capacity) caches.rows.grow(Math.min(2 * most + 14, longest));
  const positions = new Int32Array(language.positionAxes * rows);
  for (let axis = 0; axis < language.positionAxes; axis++) {
    for (const [i, { group, tokenIds }] of active.entries())
      positions[axis * rows + i] = group.next + tokenIds.length - 1;
  }
  return run(d, {
    tokenIds: int32(
      [rows],
      active.map(({ tokenIds }) => tokenIds.at(-1)!),
    ),
    imageIndex: int32([rows], new Int32Array(rows).fill(-1)),
    features: featureTable([], language.width),
    ...rotaryFeeds(language, positions, [rows, 1]),
    ...caches.prompts.first(open.length),
    ...caches.rows.first(rows),
    ...placeRows(open, active),
    promptBias: biasOf(
      open.map(({ prompt }) => prompt.tokenIds.length),
      caches.prompts.capacity,
    ),
    pastBias: biasOf(
      active.map(({ tokenIds }) => tokenIds.length - 1),
      caches.rows.capacity,
    ),
    causal: causalMask(1),
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

/** Which active rows belong to each open group: as many places for every group as the largest needs. */
function placeRows(open: readonly Group[], active: readonly Row[]): Params<TensorData> {
  const own = open.map((group) => active.flatMap((row, i) => (row.group === group ? [i] : [])));
  const places = Math.max(...own.map(({ length }) => length));
  const rowAt = new Int32Array(open.length * places);
  const placeOf = new Int32Array(active.length);
  for (const [g, rows] of own.entries()) {
    for (const [k, row] of rows.entries()) {
      rowAt[g * places + k] = row;
      placeOf[row] = g * places + k;
    }
  }
  return { rowAt: int32([rowAt.length], rowAt), placeOf: int32([placeOf.length], placeOf) };
}

/** [lines, capacity]: hides what lies beyond each line's length. */
function biasOf(lengths: readonly number[], capacity: number): TensorData {
  const bias = new Float32Array(lengths.length * capacity);
  for (const [i, length] of lengths.entries()) bias.fill(EXCLUDED, i * capacity + length, (i + 1) * capacity);
  return float32([lengths.length, capacity], bias);
}

/** A prompt and a past of one hidden position each, for a row that has neither yet. */
function emptyCaches(language: LanguageStack): Params<TensorData> {
  const empty = (prefix: string) => new KeyValueCache(language, { prefix, lines: 1, capacity: 1 }).first(1);
  const first = int32([1], [0]);
  const bias = biasOf([0], 1);
  return { ...empty("prompt."), ...empty("past."), rowAt: first, placeOf: first, promptBias: bias, pastBias: bias };
}

async function run(d: Decoder, feeds: Params<TensorData>) {
  const { token, logProb, ...added } = await d.session.run({ ...feeds, ...d.sampling, ...d.values });
  return { token: token!.data as Int32Array, logProb: logProb!.data as Float32Array, added };
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
