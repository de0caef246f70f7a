/** Qwen2-VL's vision tower: linear patches, 2-D rotary positions, full attention within an image, 2x2 merger. */
import { add, reshape, slice } from "../../compiler/ops/index.ts";
import type { Params, Tensor } from "../../compiler/tensor.ts";
import { gelu, layerNorm, linear, project, quickGelu, rotate } from "../../nn/layers.ts";
import type { BlockContext, RotaryTable, VisionStack, WeightSpec } from "../model.ts";
import type { Qwen2VLConfig } from "./config.ts";
import { visionPositions } from "./positions.ts";

const PREFIX = "visual.";
/** transformers' Qwen2VLVisionBlock and PatchMerger. */
const NORM_EPSILON = 1e-6;
const ROPE_THETA = 10_000;

export function visionStack(config: Qwen2VLConfig): VisionStack {
  const { vision } = config;
  const { depth, width, heads, merge } = vision;
  const headDim = width / heads;
  const blockWeightSpecs = blockSpecs(config);
  const patchSize = vision.channels * vision.temporalPatch * vision.patch ** 2;
  return {
    depth,
    width,
    heads,
    keyValueHeads: heads,
    headDim,
    patchSize,
    patchesPerToken: merge ** 2,
    learnedPositions: null,
    windows: null,
    headBlocks: [depth - 1],
    blockPrefix: (index) => `${PREFIX}blocks.${index}.`,
    stemWeights: [`${PREFIX}patch_embed.proj.weight`],
    blockWeights: Object.keys(blockWeightSpecs),
    headWeights: Object.keys(mergerSpecs(config)),
    stem: (weights, patches) =>
      linear(patches, reshape(weights[`${PREFIX}patch_embed.proj.weight`]!, [width, patchSize])),
    block: (weights, x, context) => visionBlock(weights, x, context, heads),
    head: (weights, [x]) => {
      const p = (name: string) => weights[`${PREFIX}merger.${name}`]!;
      const normed = layerNorm(x!, p("ln_q.weight"), p("ln_q.bias"), NORM_EPSILON);
      const merged = reshape(normed, ["features", width * merge ** 2]);
      const linear = (name: string, input: Tensor) => project(weights, `${PREFIX}merger.${name}`, input);
      return linear("mlp.2", gelu(linear("mlp.0", merged)));
    },
    rotary: (grid) => visionRotary(visionPositions(grid, merge), headDim),
  };
}

function visionBlock(weights: Params<Tensor>, x: Tensor, context: BlockContext, heads: number): Tensor {
  const p = (name: string) => weights[name]!;
  const width = x.shape[1] as number;
  const [rows, tokens] = context.cos.shape;
  const qkv = project(weights, "attn.qkv", layerNorm(x, p("norm1.weight"), p("norm1.bias"), NORM_EPSILON));
  const part = (i: number) =>
    reshape(slice(qkv, 1, i * width, (i + 1) * width), [rows!, tokens!, heads, width / heads]);
  const turned = (t: Tensor) => rotate(t, context.cos, context.sin);
  const mixed = reshape(context.attend(turned(part(0)), turned(part(1)), part(2)), x.shape);
  const attended = add(x, project(weights, "attn.proj", mixed));
  const normed = layerNorm(attended, p("norm2.weight"), p("norm2.bias"), NORM_EPSILON);
  const inner = quickGelu(project(weights, "mlp.fc1", normed));
  return add(attended, project(weights, "mlp.fc2", inner));
}

/** Angles of (row, column): a quarter of the head's width each, the two quarters then repeated. */
function visionRotary(positions: Int32Array, headDim: number): RotaryTable {
  const patches = positions.length / 2;
  const quarter = headDim / 4;
  const cos = new Float32Array(patches * headDim);
  const sin = new Float32Array(patches * headDim);
  for (let i = 0; i < patches; i++) {
    for (let d = 0; d < headDim; d++) {
      const axis = Math.floor(d / quarter) % 2;
      const angle = positions[2 * i + axis]! / ROPE_THETA ** ((2 * (d % quarter)) / (headDim / 2));
      cos[i * headDim + d] = Math.cos(angle);
      sin[i * headDim + d] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

function blockSpecs({ vision }: Qwen2VLConfig): Record<string, WeightSpec> {
  const { width, mlpWidth, std } = vision;
  return {
    ...normSpecs("norm1", width),
    ...normSpecs("norm2", width),
    ...linearSpecs("attn.qkv", 3 * width, width, std),
    ...linearSpecs("attn.proj", width, width, std),
    ...linearSpecs("mlp.fc1", mlpWidth, width, std),
    ...linearSpecs("mlp.fc2", width, mlpWidth, std),
  };
}

function mergerSpecs({ vision, width }: Qwen2VLConfig): Record<string, WeightSpec> {
  const merged = vision.width * vision.merge ** 2;
  return {
    ...normSpecs(`${PREFIX}merger.ln_q`, vision.width),
    ...linearSpecs(`${PREFIX}merger.mlp.0`, merged, merged, vision.std),
    ...linearSpecs(`${PREFIX}merger.mlp.2`, width, merged, vision.std),
  };
}

/** All weights of the tower by their Hugging Face names. */
export function visionWeights(config: Qwen2VLConfig): Record<string, WeightSpec> {
  const { width, channels, temporalPatch, patch, std, depth } = config.vision;
  const weights: Record<string, WeightSpec> = {
    [`${PREFIX}patch_embed.proj.weight`]: {
      shape: [width, channels, temporalPatch, patch, patch],
      initialiser: { kind: "normal", std },
    },
  };
  for (let i = 0; i < depth; i++) {
    for (const [name, spec] of Object.entries(blockSpecs(config))) weights[`${PREFIX}blocks.${i}.${name}`] = spec;
  }
  return { ...weights, ...mergerSpecs(config) };
}

function normSpecs(name: string, width: number): Record<string, WeightSpec> {
  return {
    [`${name}.weight`]: { shape: [width], initialiser: { kind: "ones" } },
    [`${name}.bias`]: { shape: [width], initialiser: { kind: "zeros" } },
  };
}

function linearSpecs(name: string, out: number, into: number, std: number): Record<string, WeightSpec> {
  return {
    [`${name}.weight`]: { shape: [out, into], initialiser: { kind: "normal", std } },
    [`${name}.bias`]: { shape: [out], initialiser: { kind: "zeros" } },
  };
}
