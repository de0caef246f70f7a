/** What the vision towers of the Qwen-VL families share: linear patches, fused attention, 2-D rotary positions, weight tables. */
import { reshape, slice } from "../../compiler/ops/index.ts";
import type { Params, Tensor } from "../../compiler/tensor.ts";
import { applyRotary, linear, project, rotateQuery } from "../../nn/layers.ts";
import type { BlockContext, RotaryTable, VisionStack, WeightSpec } from "../model.ts";
import type { VisionConfig } from "./config.ts";
import { type Grid, visionPositions } from "./positions.ts";

/** The epsilon of every norm in transformers' Qwen-VL towers. */
export const NORM_EPSILON = 1e-6;

/** Weights of the parts of a tower, as a family names them below its prefix. */
export interface TowerSpecs {
  readonly stem: Readonly<Record<string, WeightSpec>>;
  readonly block: Readonly<Record<string, WeightSpec>>;
  readonly head: Readonly<Record<string, WeightSpec>>;
}

type Shared =
  | "depth"
  | "width"
  | "heads"
  | "keyValueHeads"
  | "headDim"
  | "blockPrefix"
  | "stemWeights"
  | "blockWeights"
  | "headWeights"
  | "patchSize"
  | "patchesPerToken"
  | "rotary";

/** Sizes, names and rotary positions of a tower. */
export function towerBase(vision: VisionConfig, prefix: string, specs: TowerSpecs): Pick<VisionStack, Shared> {
  const { depth, width, heads, merge } = vision;
  const headDim = width / heads;
  const whole = (part: Readonly<Record<string, WeightSpec>>) => Object.keys(part).map((name) => prefix + name);
  return {
    depth,
    width,
    heads,
    keyValueHeads: heads,
    headDim,
    blockPrefix: (index) => `${prefix}blocks.${index}.`,
    stemWeights: whole(specs.stem),
    blockWeights: Object.keys(specs.block),
    headWeights: whole(specs.head),
    patchSize: patchSize(vision),
    patchesPerToken: merge ** 2,
    rotary: (grid) => visionRotary(grid, vision, headDim),
  };
}

/** All weights of a tower by their whole names. */
export function towerWeights(vision: VisionConfig, prefix: string, specs: TowerSpecs): Record<string, WeightSpec> {
  const named = (part: Readonly<Record<string, WeightSpec>>, at: string) =>
    Object.entries(part).map(([name, spec]) => [`${at}${name}`, spec] as const);
  const blocks = Array.from({ length: vision.depth }, (_, i) => named(specs.block, `${prefix}blocks.${i}.`));
  return Object.fromEntries([...named(specs.stem, prefix), ...blocks.flat(), ...named(specs.head, prefix)]);
}

/** The strided convolution of transformers' PatchEmbed as a product, with its bias where it has one. */
export function embedPatches(weights: Params<Tensor>, prefix: string, patches: Tensor, vision: VisionConfig): Tensor {
  const kernel = weights[`${prefix}patch_embed.proj.weight`]!;
  const bias = weights[`${prefix}patch_embed.proj.bias`];
  return linear(patches, reshape(kernel, [vision.width, patchSize(vision)]), bias);
}

export function patchSpec({ width, channels, temporalPatch, patch, std }: VisionConfig): WeightSpec {
  return { shape: [width, channels, temporalPatch, patch, patch], initialiser: { kind: "normal", std } };
}

/** Attention with fused qkv and output projection over a normed x [flat, width]. */
export function towerAttention(weights: Params<Tensor>, normed: Tensor, context: BlockContext, heads: number): Tensor {
  const width = normed.shape[1] as number;
  const { cos, sin, attend } = context;
  const [rows, tokens] = cos.shape;
  const qkv = project(weights, "attn.qkv", normed);
  const part = (i: number) =>
    reshape(slice(qkv, 1, i * width, (i + 1) * width), [rows!, tokens!, heads, width / heads]);
  const mixed = attend(rotateQuery(part(0), cos, sin), applyRotary(part(1), cos, sin), part(2));
  return project(weights, "attn.proj", reshape(mixed, normed.shape));
}

export function attentionSpecs({ width, std }: VisionConfig): Record<string, WeightSpec> {
  return { ...linearSpecs("attn.qkv", 3 * width, width, std), ...linearSpecs("attn.proj", width, width, std) };
}

/** Neighbouring patches side by side: [flat, width] to [features, width x patches per token]. */
export function mergePatches(x: Tensor, { width, merge }: VisionConfig): Tensor {
  return reshape(x, ["features", width * merge ** 2]);
}

export function layerNormSpecs(name: string, width: number): Record<string, WeightSpec> {
  return { ...rmsNormSpecs(name, width), [`${name}.bias`]: { shape: [width], initialiser: { kind: "zeros" } } };
}

export function rmsNormSpecs(name: string, width: number): Record<string, WeightSpec> {
  return { [`${name}.weight`]: { shape: [width], initialiser: { kind: "ones" } } };
}

export function linearSpecs(name: string, out: number, into: number, std: number): Record<string, WeightSpec> {
  return {
    [`${name}.weight`]: { shape: [out, into], initialiser: { kind: "normal", std } },
    [`${name}.bias`]: { shape: [out], initialiser: { kind: "zeros" } },
  };
}

function patchSize({ channels, temporalPatch, patch }: VisionConfig): number {
  return channels * temporalPatch * patch ** 2;
}

/** Angles of (row, column): a quarter of the head's width each. */
function visionRotary(grid: Grid, { merge, ropeTheta }: VisionConfig, headDim: number): RotaryTable {
  const positions = visionPositions(grid, merge);
  const patches = positions.length / 2;
  const quarter = headDim / 4;
  const half = headDim / 2;
  const cos = new Float32Array(patches * half);
  const sin = new Float32Array(patches * half);
  for (let i = 0; i < patches; i++) {
    for (let d = 0; d < half; d++) {
      const axis = Math.floor(d / quarter);
      const angle = positions[2 * i + axis]! / ropeTheta ** ((2 * (d % quarter)) / half);
      cos[i * half + d] = Math.cos(angle);
      sin[i * half + d] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
