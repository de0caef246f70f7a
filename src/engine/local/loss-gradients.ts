/** Gradients of a batch's loss beside those that training accumulates: in a store of their own. */

import { UserError } from "../../core/errors.ts";
import type { ImageSite } from "../../core/records.ts";
import { sizeOf } from "../../core/tensor-data.ts";
import type { LossGradients, TokenBatch } from "../engine.ts";
import type { Compute } from "./compute.ts";
import { forwardBackward } from "./forward-backward.ts";
import type { MicroBatchOptions } from "./model-pass.ts";
import { WeightStore } from "./weight-store.ts";

/**
 * By weights, trained or frozen, or by the batch's images at a site, by content hash. Adapters are read beside their
 * layers where weights are asked for: a merged weight would hide the layer's own.
 */
export async function lossGradients(
  compute: Compute,
  { model, values, arrays }: WeightStore,
  batch: TokenBatch,
  wrt: ImageSite | readonly string[],
  o: MicroBatchOptions,
): Promise<LossGradients> {
  const names = typeof wrt === "string" ? [] : wrt;
  const unknown = names.find((name) => values[name] === undefined);
  if (unknown !== undefined) throw new UserError(`the model has no weight "${unknown}" to differentiate by`);
  const store = new WeightStore(model, values, new Set(names), arrays);
  const byImage = new Map<string, Float32Array>();
  const asked = typeof wrt === "string" ? { images: { site: wrt, gradients: byImage } } : { adapters: null };
  const { loss } = await forwardBackward(compute, store, batch, { ...o, ...asked });
  if (typeof wrt === "string") return { loss, gradients: byImage };
  const zeros = (name: string) => new Float32Array(sizeOf(values[name]!.shape));
  await store.fetchGradients();
  const gradients = new Map(names.map((name) => [name, store.gradient(name) ?? zeros(name)]));
  store.restoreOptimizer(0);
  return { loss, gradients };
}
