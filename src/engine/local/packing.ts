/**
 * Packs groups into rows [prompt | c1 | … | cG] and rows into micro-batches of bounded size. A completion attends to
 * the prompt and itself; its positions restart after the prompt. The last token of a completion predicts nothing and is
 * left out. Predictions in place add no tokens to the prompt that makes them; tokens of mask 0 are read and not predicted.
 */
import type { ImageFeatures } from "../../core/records.ts";
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import { EXCLUDED } from "../../nn/sampling.ts";
import type { TrainingCompletion, TrainingGroup } from "../engine.ts";
import { atToken } from "../token-values.ts";

/** A completion and its index in the batch's flat order. */
export interface PackedCompletion extends TrainingCompletion {
  readonly index: number;
  readonly inPlace: boolean;
}

export interface PackedRow {
  readonly prompt: TrainingGroup["prompt"];
  /** The group's index in the batch. */
  readonly group: number;
  readonly completions: readonly PackedCompletion[];
  /** Predicted after the prompt's first tokens; in one row of a group only. */
  readonly inPlace: PackedCompletion | null;
  readonly length: number;
}

/** Prediction targets: token `offset` of completion `index`, with id `target`, is predicted at flat token `source`. */
export interface TargetToken {
  readonly source: number;
  readonly completion: PackedCompletion;
  readonly offset: number;
}

/** Packed rows concatenated as flat tokens, without padding, and their places in attention's grids. */
export interface MicroBatch {
  /** [flat] */
  readonly tokenIds: Int32Array;
  /** [positionAxes x flat] */
  readonly positions: Int32Array;
  /** [flat]: first row of the token's features among the micro-batch's, or −1 */
  readonly imageIndex: Int32Array;
  /** Distinct images in the order of their features. */
  readonly images: readonly ImageFeatures[];
  readonly predictions: readonly TargetToken[];
  /** [flat]: the sequence a token belongs to, and its place there; independent of how the batch is split into rows. */
  readonly owners: readonly (readonly [owner: string, place: number])[];
  readonly grids: PackedGrids;
}

/**
 * The values of a PackedLayout (nn/packed-attention.ts); sizes are those of the longest prompt, group and completion.
 */
export interface PackedGrids {
  readonly rows: number;
  readonly prompt: number;
  readonly group: number;
  readonly completion: number;
  readonly promptTokens: Int32Array;
  readonly completionTokens: Int32Array;
  readonly placeOf: Int32Array;
  readonly promptBias: Float32Array;
}

/** Rows of at most `budget` tokens, longest first; only a single completion can exceed it. */
export function packRows(groups: readonly TrainingGroup[], budget: number): PackedRow[] {
  const rows: PackedRow[] = [];
  let index = 0;
  for (const [group, { prompt, completions, inPlace: predicted }] of groups.entries()) {
    let open: PackedCompletion[] = [];
    let inPlace = predicted === undefined ? null : { ...predicted, index: index++, inPlace: true };
    let length = prompt.tokenIds.length;
    const close = () => {
      if (open.length > 0 || inPlace !== null) rows.push({ prompt, group, completions: open, inPlace, length });
      open = [];
      inPlace = null;
      length = prompt.tokenIds.length;
    };
    for (const completion of completions) {
      const added = Math.max(0, completion.tokenIds.length - 1);
      if (open.length > 0 && length + added > budget) close();
      open.push({ ...completion, index: index++, inPlace: false });
      length += added;
    }
    close();
  }
  const first = ({ inPlace, completions }: PackedRow) => (inPlace ?? completions[0]!).index;
  return rows.sort((a, b) => b.length - a.length || first(a) - first(b));
}

/** Batches rows of similar length, at most `budget` tokens; only a single row can exceed it. */
export function splitRows(rows: readonly PackedRow[], budget: number): PackedRow[][] {
  const batches: PackedRow[][] = [];
  let tokens = 0;
  for (const row of rows) {
    const open = batches.at(-1);
    tokens += row.length;
    if (open !== undefined && tokens <= budget) open.push(row);
    else {
      batches.push([row]);
      tokens = row.length;
    }
  }
  return batches;
}

/** Concatenates rows. */
export function layOut(
  rows: readonly PackedRow[],
  language: Pick<LanguageStack, "positionAxes" | "positions" | "featureLevels">,
  imageTokenId: number,
  patchesPerToken: number,
): MicroBatch {
  const starts = startsOf(rows);
  const flat = starts.at(-1)! + rows.at(-1)!.length;
  const axes = language.positionAxes;
  const tokenIds = new Int32Array(flat);
  const positions = new Int32Array(axes * flat);
  const predictions: TargetToken[] = [];
  const owners: (readonly [string, number])[] = [];
  const parts: PlacedTokens[] = [];
  for (const [r, { prompt, group, completions, inPlace }] of rows.entries()) {
    const start = starts[r]!;
    const promptLength = prompt.tokenIds.length;
    tokenIds.set(prompt.tokenIds, start);
    const own = language.positions(
      prompt.tokenIds,
      prompt.images.map((image) => image.grid),
    );
    for (let axis = 0; axis < axes; axis++) {
      positions.set(own.positions.subarray(axis * promptLength, (axis + 1) * promptLength), axis * flat + start);
    }
    for (let place = 0; place < promptLength; place++) owners.push([`prompt ${group}`, place]);
    for (let offset = 0; offset < (inPlace?.tokenIds.length ?? 0); offset++) {
      predictions.push({ source: start + offset, completion: inPlace!, offset });
    }
    parts.push({ ...prompt, at: start });
    let at = start + promptLength;
    for (const completion of completions) {
      const inputs = inputsOf(completion);
      tokenIds.set(completion.tokenIds.subarray(0, inputs), at);
      const spread = hasImages(completion) ? positionsAfter(prompt, completion, language) : null;
      for (let axis = 0; axis < axes; axis++) {
        for (let k = 0; k < inputs; k++) positions[axis * flat + at + k] = spread?.[axis]?.[k] ?? own.next + k;
      }
      if (hasImages(completion)) parts.push({ ...completion, tokenIds: completion.tokenIds.subarray(0, inputs), at });
      for (let offset = 0; offset < completion.tokenIds.length; offset++) {
        if (completion.mask?.[offset] === 0) continue;
        const source = offset === 0 ? start + promptLength - 1 : at + offset - 1;
        predictions.push({ source, completion, offset });
      }
      for (let place = 0; place < inputs; place++) owners.push([`completion ${completion.index}`, place]);
      at += inputs;
    }
  }
  const placed = placeImages(parts, flat, imageTokenId, patchesPerToken, language.featureLevels);
  return { tokenIds, positions, predictions, owners, grids: placeInGrids(rows, starts, flat), ...placed };
}

/** Predictions in place without a weight are only scored: they are most of a prompt's, and have no gradient. */
export function splitByWeight(micro: MicroBatch): { readonly trained: MicroBatch; readonly scored: MicroBatch } {
  const isScored = ({ completion, offset }: TargetToken) =>
    completion.inPlace &&
    atToken(completion.weight, offset) === 0 &&
    atToken(completion.entropyWeight ?? 0, offset) === 0;
  if (!micro.predictions.some(isScored)) return { trained: micro, scored: { ...micro, predictions: [] } };
  return {
    trained: { ...micro, predictions: micro.predictions.filter((one) => !isScored(one)) },
    scored: { ...micro, predictions: micro.predictions.filter(isScored) },
  };
}

type Pictured = TrainingCompletion & { readonly images: readonly ImageFeatures[] };

function hasImages<T extends TrainingCompletion>(completion: T): completion is T & Pictured {
  return (completion.images?.length ?? 0) > 0;
}

/** By axis, of the completion's tokens as they follow the prompt: its images spread over the axes as a prompt's do. */
function positionsAfter(
  prompt: PackedRow["prompt"],
  { tokenIds, images }: Pictured,
  { positionAxes, positions }: Pick<LanguageStack, "positionAxes" | "positions">,
): readonly Int32Array[] {
  const all = Int32Array.from([...prompt.tokenIds, ...tokenIds]);
  const whole = positions(
    all,
    [...prompt.images, ...images].map((image) => image.grid),
  ).positions;
  return Array.from({ length: positionAxes }, (_, axis) => {
    return whole.subarray(axis * all.length + prompt.tokenIds.length, (axis + 1) * all.length);
  });
}

/** Number of a completion's input tokens: all but the last. */
const inputsOf = ({ tokenIds }: PackedCompletion) => Math.max(0, tokenIds.length - 1);

function startsOf(rows: readonly PackedRow[]): number[] {
  let next = 0;
  return rows.map(({ length }) => {
    next += length;
    return next - length;
  });
}

function placeInGrids(rows: readonly PackedRow[], starts: readonly number[], flat: number): PackedGrids {
  const most = (size: (row: PackedRow) => number) => Math.max(1, ...rows.map(size));
  const prompt = most((row) => row.prompt.tokenIds.length);
  const group = most((row) => row.completions.length);
  const completion = most((row) => Math.max(...row.completions.map(inputsOf)));
  const promptTokens = new Int32Array(rows.length * prompt).fill(-1);
  const completionTokens = new Int32Array(rows.length * group * completion).fill(-1);
  const placeOf = new Int32Array(flat);
  const promptBias = new Float32Array(rows.length * prompt).fill(EXCLUDED);
  for (const [r, row] of rows.entries()) {
    let token = starts[r]!;
    for (let t = 0; t < row.prompt.tokenIds.length; t++, token++) {
      const place = r * prompt + t;
      promptTokens[place] = token;
      promptBias[place] = 0;
      placeOf[token] = place;
    }
    for (const [g, own] of row.completions.entries()) {
      for (let t = 0; t < inputsOf(own); t++, token++) {
        const place = (r * group + g) * completion + t;
        completionTokens[place] = token;
        placeOf[token] = promptTokens.length + place;
      }
    }
  }
  return { rows: rows.length, prompt, group, completion, promptTokens, completionTokens, placeOf, promptBias };
}

/** Tokens that stand at a place among the flat ones, with the images of their placeholders. */
export interface PlacedTokens {
  readonly tokenIds: Int32Array;
  readonly images: readonly ImageFeatures[];
  readonly at: number;
}

/** Distinct images of all parts, and the feature row of each image token. */
export function placeImages(
  parts: readonly PlacedTokens[],
  flat: number,
  imageTokenId: number,
  patchesPerToken: number,
  featureLevels: number,
): Pick<MicroBatch, "imageIndex" | "images"> {
  const imageIndex = new Int32Array(flat).fill(-1);
  const images: ImageFeatures[] = [];
  const firstFeature = new Map<string, number>();
  let features = 0;
  for (const part of parts) {
    const order = part.images.flatMap((image) => {
      const first = firstFeature.get(image.sha256) ?? features;
      const count = (image.grid[0] * image.grid[1] * image.grid[2]) / patchesPerToken;
      if (first === features) {
        firstFeature.set(image.sha256, first);
        images.push(image);
        features += count;
      }
      return Array.from({ length: count }, (_, i) => first + i);
    });
    let seen = 0;
    for (const [t, id] of part.tokenIds.entries())
      if (id === imageTokenId) imageIndex[part.at + t] = featureLevels * order[seen++]!;
    if (seen !== order.length) {
      throw new Error(`internal: the text has ${seen} image tokens, its images give ${order.length} features`);
    }
  }
  return { imageIndex, images };
}

/** How many tokens a pass over groups computes, whatever is packed beside what. */
export function tokensOf(groups: readonly TrainingGroup[]): number {
  const own = ({ prompt, completions }: TrainingGroup) =>
    completions.reduce((total, { tokenIds }) => total + tokenIds.length, prompt.tokenIds.length);
  return groups.reduce((total, group) => total + own(group), 0);
}

/** The images of all prompts and completions, with repetitions. */
export function imagesOf(
  groups: readonly (Pick<TrainingGroup, "prompt"> & Partial<Pick<TrainingGroup, "completions">>)[],
): readonly ImageFeatures[] {
  return groups.flatMap(({ prompt, completions = [] }) => {
    return [...prompt.images, ...completions.flatMap(({ images = [] }) => images)];
  });
}

/** [size, size]: 0 where a token attends: itself and earlier tokens. */
export function causalMask(size: number): TensorData {
  const mask = new Float32Array(size * size);
  for (let t = 0; t < size; t++) mask.fill(EXCLUDED, t * size + t + 1, (t + 1) * size);
  return float32([size, size], mask);
}
