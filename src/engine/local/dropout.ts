/**
 * Dropout on the inputs of LoRA adapters (PEFT's lora_dropout). Masks depend only on seed, update, layer and token, so
 * recomputed blocks, other micro-batch splits and resumed runs use the same ones.
 */
import type { Params } from "../../compiler/tensor.ts";
import { fold, type RandomKey, randomKey, uint32 } from "../../core/random.ts";
import { type TensorData, tensorData } from "../../core/tensor-data.ts";
import { adaptedLayers } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import { LORA_A, LORA_MASK } from "../../nn/lora.ts";

/** Dropout of one forward and backward pass. */
export interface Dropout {
  /** Probability of zeroing an element. */
  readonly rate: number;
  readonly key: RandomKey;
}

/** A random key for each row from its owner and its place there, independent of other rows. */
export function rowKeys(key: RandomKey, rows: Iterable<readonly [owner: number | string, place: number]>): RandomKey[] {
  const owners = new Map<number | string, RandomKey>();
  return Array.from(rows, ([owner, place]) => {
    let own = owners.get(owner);
    if (own === undefined) {
      own = fold(key, owner);
      owners.set(owner, own);
    }
    return fold(own, place);
  });
}

/** Masks [rows, in] (1 keeps, 0 drops) of all adapters among a part's weights; `prefix` completes their names. */
export function dropoutMasks(
  model: Model,
  rate: number,
  weights: readonly string[],
  prefix: string,
  rows: readonly RandomKey[],
): Params<TensorData> {
  return Object.fromEntries(
    adaptedLayers(weights).map((layer) => {
      const width = model.weights[`${prefix}${layer}.${LORA_A}`]!.shape[1]!;
      const salt = uint32(randomKey(0, prefix + layer), 0);
      return [`${layer}.${LORA_MASK}`, maskOf(rate, width, rows, salt)];
    }),
  );
}

/** Steps from one dropped element of a row to the next: the gaps are geometrically distributed. */
function maskOf(rate: number, width: number, rows: readonly RandomKey[], salt: number): TensorData {
  const mask = new Uint8Array(rows.length * width).fill(1);
  const scale = 1 / Math.log1p(-rate);
  for (const [i, row] of rows.entries()) {
    const key = fold(row, salt);
    let at = -1;
    for (let draw = 0; ; draw++) {
      at += 1 + Math.floor(Math.log((uint32(key, draw) + 0.5) / 0x100000000) * scale);
      if (at >= width) break;
      mask[i * width + at] = 0;
    }
  }
  return tensorData("uint8", [rows.length, width], mask);
}
