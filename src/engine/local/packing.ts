/**
 * Packs groups into rows [prompt | c1 | … | cG] and rows into micro-batches of bounded size. A completion sees the prompt
 * and itself; its positions restart after the prompt. The last token of a completion predicts nothing and is left out.
 */
import type { ImageFeatures, Prompt } from "../../core/records.ts";
import type { LanguageStack } from "../../models/model.ts";
import { EXCLUDED } from "../../nn/sampling.ts";
import type { TrainingCompletion, TrainingGroup } from "../engine.ts";

/** A completion and its place in the batch's flat order. */
export interface PackedCompletion extends TrainingCompletion {
  readonly index: number;
}

export interface PackedRow {
  readonly prompt: Prompt;
  readonly completions: readonly PackedCompletion[];
  readonly length: number;
}

/** Tokens that predict: token `target` of completion `index`'s token `offset` stands after flat token `source`. */
export interface Prediction {
  readonly source: number;
  readonly completion: PackedCompletion;
  readonly offset: number;
}

/** A rectangle of rows, padded to the longest. */
export interface MicroBatch {
  readonly rows: number;
  readonly tokens: number;
  /** [rows x tokens] */
  readonly tokenIds: Int32Array;
  /** [positionAxes x rows x tokens] */
  readonly positions: Int32Array;
  /** [rows, tokens, tokens]: 0 where visible */
  readonly bias: Float32Array;
  /** [rows x tokens]: first line of the token's features among the micro-batch's, or −1 */
  readonly imageIndex: Int32Array;
  /** Distinct images in the order of their features. */
  readonly images: readonly ImageFeatures[];
  readonly predictions: readonly Prediction[];
}

/** Rows of at most `budget` tokens where a single completion allows it, longest first. */
export function packRows(groups: readonly TrainingGroup[], budget: number): PackedRow[] {
  const rows: PackedRow[] = [];
  let index = 0;
  for (const { prompt, completions } of groups) {
    let open: PackedCompletion[] = [];
    let length = prompt.tokenIds.length;
    const close = () => {
      if (open.length > 0) rows.push({ prompt, completions: open, length });
      open = [];
      length = prompt.tokenIds.length;
    };
    for (const completion of completions) {
      const added = Math.max(0, completion.tokenIds.length - 1);
      if (open.length > 0 && length + added > budget) close();
      open.push({ ...completion, index: index++ });
      length += added;
    }
    close();
  }
  return rows.sort((a, b) => b.length - a.length || a.completions[0]!.index - b.completions[0]!.index);
}

/** Rows of similar length together, rows x longest at most `budget` tokens. */
export function splitRows(rows: readonly PackedRow[], budget: number): PackedRow[][] {
  const batches: PackedRow[][] = [];
  for (const row of rows) {
    const open = batches.at(-1);
    if (open !== undefined && (open.length + 1) * open[0]!.length <= budget) open.push(row);
    else batches.push([row]);
  }
  return batches;
}

/** Lays rows out as one rectangle. */
export function layOut(
  rows: readonly PackedRow[],
  language: LanguageStack,
  imageTokenId: number,
  patchesPerToken: number,
): MicroBatch {
  const tokens = Math.max(...rows.map((row) => row.length));
  const flat = rows.length * tokens;
  const axes = language.positionAxes;
  const tokenIds = new Int32Array(flat);
  const positions = new Int32Array(axes * flat);
  const bias = new Float32Array(flat * tokens).fill(EXCLUDED);
  const predictions: Prediction[] = [];
  for (const [r, { prompt, completions }] of rows.entries()) {
    const start = r * tokens;
    const promptLength = prompt.tokenIds.length;
    tokenIds.set(prompt.tokenIds, start);
    const own = language.positions(
      prompt.tokenIds,
      prompt.images.map((image) => image.grid),
    );
    for (let axis = 0; axis < axes; axis++) {
      positions.set(own.positions.subarray(axis * promptLength, (axis + 1) * promptLength), axis * flat + start);
    }
    const see = (t: number, from: number, to: number) =>
      bias.fill(0, (start + t) * tokens + from, (start + t) * tokens + to);
    for (let t = 0; t < promptLength; t++) see(t, 0, t + 1);
    let at = promptLength;
    for (const completion of completions) {
      const inputs = Math.max(0, completion.tokenIds.length - 1);
      for (let k = 0; k < inputs; k++) {
        tokenIds[start + at + k] = completion.tokenIds[k]!;
        for (let axis = 0; axis < axes; axis++) positions[axis * flat + start + at + k] = own.next + k;
        see(at + k, 0, promptLength);
        see(at + k, at, at + k + 1);
      }
      for (let offset = 0; offset < completion.tokenIds.length; offset++) {
        const source = start + (offset === 0 ? promptLength - 1 : at + offset - 1);
        predictions.push({ source, completion, offset });
      }
      at += inputs;
    }
    for (let t = at; t < tokens; t++) see(t, t, t + 1);
  }
  const placed = placeImages(
    rows.map(({ prompt }) => prompt),
    tokens,
    imageTokenId,
    patchesPerToken,
    language.featureLines,
  );
  return { rows: rows.length, tokens, tokenIds, positions, bias, predictions, ...placed };
}

/** Distinct images of prompts that start rows of `tokens` tokens, and which of their features each token stands for. */
export function placeImages(
  prompts: readonly Prompt[],
  tokens: number,
  imageTokenId: number,
  patchesPerToken: number,
  featureLines: number,
): Pick<MicroBatch, "imageIndex" | "images"> {
  const imageIndex = new Int32Array(prompts.length * tokens).fill(-1);
  const images: ImageFeatures[] = [];
  const firstFeature = new Map<string, number>();
  let features = 0;
  for (const [row, prompt] of prompts.entries()) {
    const order = prompt.images.flatMap((image) => {
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
    for (const [t, id] of prompt.tokenIds.entries())
      if (id === imageTokenId) imageIndex[row * tokens + t] = featureLines * order[seen++]!;
    if (seen !== order.length) {
      throw new Error(`internal: the prompt has ${seen} image tokens, its images give ${order.length} features`);
    }
  }
  return { imageIndex, images };
}
