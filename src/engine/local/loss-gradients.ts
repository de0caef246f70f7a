/** Gradients of a batch's loss beside those that training accumulates: in a store of their own. */

import { UserError } from "../../core/errors.ts";
import { sizeOf } from "../../core/tensor-data.ts";
import type { LossGradients, TokenBatch } from "../engine.ts";
import type { Compute } from "./compute.ts";
import { forwardBackward, type MicroBatchOptions } from "./forward-backward.ts";
import { WeightStore } from "./weight-store.ts";

/**
 * By weights, trained or frozen, or by the patches of the batch's images, by content hash. Adapters are read beside their
 * layers where weights are asked for: a merged weight would hide the layer's own.
 */
export async function lossGradients(
  compute: Compute,
  { model, values, arrays }: WeightStore,
  batch: TokenBatch,
  wrt: "pixels" | readonly string[],
  o: MicroBatchOptions,
): Promise<LossGradients> {
  const names = wrt === "pixels" ? [] : wrt;
  const unknown = names.find((name) => values[name] === undefined);
  if (unknown !== undefined) throw new UserError(`the model has no weight "${unknown}" to differentiate by`);
  const store = new WeightStore(model, values, new Set(names), arrays);
  const patches = new Map<string, Float32Array>();
  const asked = wrt === "pixels" ? { patches } : { adapters: null };
  const { loss } = await forwardBackward(compute, store, batch, { ...o, ...asked });
  if (wrt === "pixels") return { loss, gradients: patches };
  const zeros = (name: string) => new Float32Array(sizeOf(values[name]!.shape));
  await store.fetchGradients();
  const gradients = new Map(names.map((name) => [name, store.gradient(name) ?? zeros(name)]));
  store.restoreOptimizer(0);
  return { loss, gradients };
}
