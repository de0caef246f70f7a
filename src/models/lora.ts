/** Adds low-rank adapters to a model: more weights under PEFT's suffixes, the same stacks, nothing else changes. */
import { UserError } from "../core/errors.ts";
import { LORA_A, LORA_B, LORA_SCALING } from "../nn/lora.ts";
import { adapterLayers, type LoraOptions } from "./lora-targets.ts";
import type { AdapterLayer, Model, Stack, WeightSpec } from "./model.ts";

export type { LoraOptions } from "./lora-targets.ts";

/**
 * The model with adapters on the layers that the options name (PEFT's rules); UserError when none is. The blocks of a stack
 * share their programs, so where one block has an adapter all have, of the largest rank: what a block should lack is zero in
 * both matrices, where no gradient arises, and so it stays zero.
 */
export function withLora(model: Model, o: LoraOptions): Model {
  const chosen = adapterLayers(model, o);
  const weights: Record<string, WeightSpec> = {};
  const inBlocks = [model.vision, model.language].map((stack) => blockAdapters(stack, chosen));
  const add = (layer: string, width: number) => {
    Object.assign(weights, adapterWeights(model, layer, width, chosen.get(layer) ?? { rank: 0, scaling: 0 }));
  };
  for (const [s, stack] of [model.vision, model.language].entries()) {
    for (let i = 0; i < stack.depth; i++) {
      for (const [local, width] of inBlocks[s]!) add(stack.blockPrefix(i) + local, width);
    }
  }
  const inHead = [...chosen].filter(([layer]) => model.vision.headWeights.includes(`${layer}.weight`));
  for (const [layer, { rank }] of inHead) add(layer, rank);
  const stray = [...chosen.keys()].find((layer) => weights[`${layer}.${LORA_A}`] === undefined);
  if (stray !== undefined)
    throw new UserError(`model.lora.target_modules: ${model.moduleName(stray)} can have no adapter`);
  const adapt = <S extends Stack>(stack: S, locals: ReadonlyMap<string, number>): S => ({
    ...stack,
    blockWeights: [...stack.blockWeights, ...[...locals.keys()].flatMap(namesOf)],
  });
  const { vision } = model;
  return {
    ...model,
    adapters: chosen,
    adapterDropout: o.lora_dropout ?? 0,
    weights: { ...model.weights, ...weights },
    vision: {
      ...adapt(vision, inBlocks[0]!),
      headWeights: [...vision.headWeights, ...inHead.flatMap(([layer]) => namesOf(layer))],
    },
    language: adapt(model.language, inBlocks[1]!),
  };
}

/** Whether a weight belongs to an adapter and is trained. */
export function isAdapterWeight(name: string): boolean {
  return name.endsWith(LORA_A) || name.endsWith(LORA_B);
}

/** The layers that have an adapter among a part's weights, by their weights' common name. */
export function adaptedLayers(weights: readonly string[]): string[] {
  return weights.flatMap((name) => (name.endsWith(`.${LORA_A}`) ? [name.slice(0, -LORA_A.length - 1)] : []));
}

/** Local names of a stack's adapted layers, with the largest rank that any block gives them. */
function blockAdapters(stack: Stack, chosen: ReadonlyMap<string, AdapterLayer>): ReadonlyMap<string, number> {
  const locals = new Map<string, number>();
  for (const weight of stack.blockWeights) {
    if (!weight.endsWith(".weight")) continue;
    const local = weight.slice(0, -".weight".length);
    const ranks = Array.from({ length: stack.depth }, (_, i) => chosen.get(stack.blockPrefix(i) + local)?.rank ?? 0);
    if (Math.max(...ranks) > 0) locals.set(local, Math.max(...ranks));
  }
  return locals;
}

/** The adapter of a layer within matrices of rank `width`, and its scale. */
function adapterWeights(model: Model, layer: string, width: number, own: AdapterLayer): Record<string, WeightSpec> {
  const [out, into] = model.weights[`${layer}.weight`]!.shape as [number, number];
  const bound = 1 / Math.sqrt(into); // PEFT's kaiming_uniform with a = √5
  return {
    [`${layer}.${LORA_A}`]: { shape: [width, into], initialiser: { kind: "uniform", bound, rows: own.rank } },
    [`${layer}.${LORA_B}`]: { shape: [out, width], initialiser: { kind: "zeros" } },
    [`${layer}.${LORA_SCALING}`]: { shape: [], initialiser: { kind: "constant", value: own.scaling } },
  };
}

function namesOf(layer: string): readonly string[] {
  return [LORA_A, LORA_B, LORA_SCALING].map((suffix) => `${layer}.${suffix}`);
}
