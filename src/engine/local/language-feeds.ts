/** What the language model is fed for a micro-batch. */
import type { Params } from "../../compiler/tensor.ts";
import { concatenated, float32, int32, type TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { type AdapterPass, adapterFeeds } from "./adapter-feeds.ts";
import { holdAll } from "./arrays/arrays.ts";
import type { BlockFeeds, Compute } from "./compute.ts";
import { rowKeys } from "./dropout.ts";
import { causalMask, type MicroBatch } from "./packing.ts";
import type { EncodedImages } from "./vision-runner.ts";

/** Feeds of the language model for a micro-batch. */
export interface LanguageFeeds {
  readonly stem: Readonly<Record<"tokenIds" | "imageIndex" | "features", TensorData>>;
  readonly block: BlockFeeds;
  /** After the micro-batch. */
  release(): void;
}

export function languageFeeds(
  { model, arrays }: Compute,
  micro: MicroBatch,
  encoded: EncodedImages,
  adapters: AdapterPass | null = null,
): LanguageFeeds {
  const stem = holdAll(arrays, stemFeeds(model, micro, encoded)) as LanguageFeeds["stem"];
  const { features, imageIndex } = stem;
  const rows = holdAll(arrays, rowFeeds(model, micro));
  const { featureLevels, blockWeights, blockPrefix } = model.language;
  const keys = adapters?.mode === "masks" ? rowKeys(adapters.dropout.key, micro.owners) : [];
  const block: BlockFeeds = (index) => ({
    ...rows,
    ...adapterFeeds(model, adapters, blockWeights, blockPrefix(index), keys),
    ...(index + 1 < featureLevels ? { features, imageIndex, level: int32([], [index + 1]) } : {}),
  });
  return { stem, block, release: () => arrays.release([...Object.values(stem), ...Object.values(rows)]) };
}

function stemFeeds(model: Model, micro: MicroBatch, encoded: EncodedImages) {
  const { width } = model.language;
  const parts = micro.images.map((image) => encoded.features.get(image.sha256)!);
  const features = parts.length > 0 ? concatenated(parts) : new Float32Array(width);
  return {
    tokenIds: int32([micro.tokenIds.length], micro.tokenIds),
    imageIndex: int32([micro.imageIndex.length], micro.imageIndex),
    features: float32([features.length / width, width], features),
  };
}

function rowFeeds({ language }: Model, { positions, tokenIds, grids }: MicroBatch): Params<TensorData> {
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
