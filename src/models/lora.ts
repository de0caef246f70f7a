/** Adds low-rank adapters to a model: more weights under PEFT's suffixes, the same stacks, nothing else changes. */
import { scalar } from "../compiler/tensor.ts";
import { UserError } from "../core/errors.ts";
import { LORA_A, LORA_B, LORA_SCALING } from "../nn/lora.ts";
import type { Model, Stack, WeightSpec } from "./model.ts";

/** Named as PEFT's LoraConfig names them. */
export interface LoraOptions {
  readonly r: number;
  readonly lora_alpha: number;
  /** Module names or their ends; a string is a regular expression for the whole name, or "all-linear". */
  readonly target_modules: readonly string[] | string;
}

/** The model with adapters on every linear layer that `target_modules` names (PEFT's rules); UserError when none is. */
export function withLora(model: Model, o: LoraOptions): Model {
  const layers = linearLayers(model);
  const chosen = layers.filter((layer) => isTarget(model.moduleName(layer), o.target_modules));
  if (chosen.length === 0) {
    const examples = layers.slice(-3).map((layer) => model.moduleName(layer));
    throw new UserError(
      `lora.target_modules: ${JSON.stringify(o.target_modules)} names no linear layer of ${model.modelType}; layers are called ${examples.join(", ")}…`,
    );
  }
  const adapters: Record<string, WeightSpec> = {};
  for (const layer of chosen) {
    const [out, into] = model.weights[`${layer}.weight`]!.shape as [number, number];
    adapters[`${layer}.${LORA_A}`] = {
      shape: [o.r, into],
      initialiser: { kind: "uniform", bound: 1 / Math.sqrt(into) }, // PEFT's kaiming_uniform with a = √5
    };
    adapters[`${layer}.${LORA_B}`] = { shape: [out, o.r], initialiser: { kind: "zeros" } };
  }
  const scaling = { [LORA_SCALING]: scalar(o.lora_alpha / o.r) };
  const adapt = <S extends Stack>(stack: S): S => ({
    ...stack,
    blockWeights: [...stack.blockWeights, ...localAdapters(stack, Object.keys(adapters))],
    block: (...[weights, x, context]: Parameters<S["block"]>) => stack.block({ ...weights, ...scaling }, x, context),
  });
  const { vision } = model;
  const headPrefixes = vision.headWeights.map((name) => name.replace(/(weight|bias)$/, ""));
  const headAdapters = Object.keys(adapters).filter((name) => headPrefixes.some((prefix) => name.startsWith(prefix)));
  return {
    ...model,
    weights: { ...model.weights, ...adapters },
    vision: {
      ...adapt(vision),
      headWeights: [...vision.headWeights, ...headAdapters],
      head: (weights, outputs) => vision.head({ ...weights, ...scaling }, outputs),
    },
    language: adapt(model.language),
  };
}

/** Whether a weight belongs to an adapter. */
export function isAdapterWeight(name: string): boolean {
  return name.endsWith(LORA_A) || name.endsWith(LORA_B);
}

/** Every linear layer but the output head, by its weights' common name. */
function linearLayers(model: Model): string[] {
  const isMatrix = (name: string) => name.endsWith(".weight") && model.weights[name]!.shape.length === 2;
  const inBlocks = [model.vision, model.language].flatMap((stack) =>
    Array.from({ length: stack.depth }, (_, i) => stack.blockWeights.map((name) => stack.blockPrefix(i) + name)).flat(),
  );
  return [...inBlocks, ...model.vision.headWeights].filter(isMatrix).map((name) => name.slice(0, -".weight".length));
}

function isTarget(module: string, targets: LoraOptions["target_modules"]): boolean {
  if (targets === "all-linear") return true;
  if (typeof targets === "string") return regularExpression(targets).test(module);
  return targets.some((target) => module === target || module.endsWith(`.${target}`));
}

function regularExpression(source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})$`);
  } catch (cause) {
    throw new UserError(`lora.target_modules: "${source}" is not a regular expression`, { cause });
  }
}

/** Local names of a stack's adapters; all blocks must have the same, for they share their programs. */
function localAdapters(stack: Stack, names: readonly string[]): string[] {
  const ofBlock = (i: number) => {
    const prefix = stack.blockPrefix(i);
    return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  };
  const first = ofBlock(0);
  for (let i = 1; i < stack.depth; i++) {
    if (ofBlock(i).join() !== first.join()) {
      throw new UserError(
        `lora.target_modules: ${stack.blockPrefix(i)} and ${stack.blockPrefix(0)} would have different adapters; name layers of every block`,
      );
    }
  }
  return first;
}
