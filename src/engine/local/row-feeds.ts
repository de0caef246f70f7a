/** Feeds of packed rows: rotary tables, where tokens lie, and who attends to whom. */
import type { Params } from "../../compiler/tensor.ts";
import { float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { EXCLUDED } from "../../nn/sampling.ts";
import type { MicroBatch } from "./packing.ts";

export function rowFeeds({ language }: Model, { positions, tokenIds, grids }: MicroBatch): Params<TensorData> {
  const { cos, sin } = language.rotary(positions);
  const table = [1, tokenIds.length, language.headDim / 2];
  const { rows, prompt, group, completion, promptTokens, completionTokens, placeOf, promptBias } = grids;
  return {
    cos: float32(table, cos),
    sin: float32(table, sin),
    promptTokens: int32([promptTokens.length], promptTokens),
    completionTokens: int32([completionTokens.length], completionTokens),
    placeOf: int32([placeOf.length], placeOf),
    promptBias: float32([rows, prompt], promptBias),
    promptMask: causalMask(prompt),
    completionMask: causalMask(completion),
    group: float32([group], new Float32Array(group)),
  };
}

/** [size, size]: 0 where a token attends: itself and earlier tokens. */
function causalMask(size: number): TensorData {
  const mask = new Float32Array(size * size);
  for (let t = 0; t < size; t++) mask.fill(EXCLUDED, t * size + t + 1, (t + 1) * size);
  return float32([size, size], mask);
}
