/**
 * Qwen3-VL's vision tower (arXiv 2511.21631): learned positions beside rotary ones, tanh GELU, and deepstack: the outputs of
 * some blocks pass mergers of their own and are added to the first language layers (arXiv 2406.04334).
 */
import { add, concat, gather, mul, reshape, sum } from "../../compiler/ops/index.ts";
import type { Params, Tensor } from "../../compiler/tensor.ts";
import { gelu, geluTanh, layerNorm, project } from "../../nn/layers.ts";
import type { BlockContext, VisionStack, WeightSpec } from "../model.ts";
import {
  attentionSpecs,
  embedPatches,
  layerNormSpecs,
  linearSpecs,
  mergePatches,
  NORM_EPSILON,
  patchSpec,
  type TowerSpecs,
  towerAttention,
  towerBase,
} from "../qwen_vl/vision.ts";
import type { DeepstackVision } from "./config.ts";
import { bilinearPositions } from "./learned-positions.ts";

export function visionStack(vision: DeepstackVision, outWidth: number, prefix: string): VisionStack {
  const last = vision.depth - 1;
  const stacked = [...vision.deepstackBlocks].sort((a, b) => a - b);
  const headBlocks = stacked.includes(last) ? stacked : [...stacked, last];
  return {
    ...towerBase(vision, prefix, visionSpecs(vision, outWidth)),
    learnedPositions: bilinearPositions(vision.positionSide, vision.merge),
    windows: null,
    headBlocks,
    stem: (weights, patches, positions) => {
      const { rows, weights: shares } = positions!;
      const found = gather(weights[`${prefix}pos_embed.weight`]!, rows); // [flat, taps, width]
      const learned = sum(mul(found, reshape(shares, [...shares.shape, 1])), [1]);
      return add(embedPatches(weights, prefix, patches, vision), learned);
    },
    block: (weights, x, context) => visionBlock(weights, x, context, vision.heads),
    head: (weights, outputs) => {
      const merged = mergeBefore(weights, `${prefix}merger`, outputs.at(-1)!, vision);
      // In the order of the blocks; a merger's number is its block's place in config.json.
      const deep = stacked.map((block, i) => {
        const name = `${prefix}deepstack_merger_list.${vision.deepstackBlocks.indexOf(block)}`;
        return mergeAfter(weights, name, outputs[i]!, vision);
      });
      return deep.length === 0 ? merged : concat([merged, ...deep], 1);
    },
  };
}

function visionBlock(weights: Params<Tensor>, x: Tensor, context: BlockContext, heads: number): Tensor {
  const attended = add(x, towerAttention(weights, norm(weights, "norm1", x), context, heads));
  const inner = geluTanh(project(weights, "mlp.linear_fc1", norm(weights, "norm2", attended)));
  return add(attended, project(weights, "mlp.linear_fc2", inner));
}

const norm = (weights: Params<Tensor>, name: string, x: Tensor) =>
  layerNorm(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!, NORM_EPSILON);

/** Normalises patches, then merges them. */
function mergeBefore(weights: Params<Tensor>, name: string, x: Tensor, vision: DeepstackVision): Tensor {
  return mergerLayers(weights, name, mergePatches(norm(weights, `${name}.norm`, x), vision));
}

/** Merges patches, then normalises each token. */
function mergeAfter(weights: Params<Tensor>, name: string, x: Tensor, vision: DeepstackVision): Tensor {
  return mergerLayers(weights, name, norm(weights, `${name}.norm`, mergePatches(x, vision)));
}

function mergerLayers(weights: Params<Tensor>, name: string, x: Tensor): Tensor {
  return project(weights, `${name}.linear_fc2`, gelu(project(weights, `${name}.linear_fc1`, x)));
}

export function visionSpecs(vision: DeepstackVision, outWidth: number): TowerSpecs {
  const { width, mlpWidth, std, merge } = vision;
  const merged = width * merge ** 2;
  const merger = (name: string, normWidth: number): Record<string, WeightSpec> => ({
    ...layerNormSpecs(`${name}.norm`, normWidth),
    ...linearSpecs(`${name}.linear_fc1`, merged, merged, std),
    ...linearSpecs(`${name}.linear_fc2`, outWidth, merged, std),
  });
  const deep = vision.deepstackBlocks.map((_, i) => merger(`deepstack_merger_list.${i}`, merged));
  return {
    stem: {
      "patch_embed.proj.weight": patchSpec(vision),
      "patch_embed.proj.bias": { shape: [width], initialiser: { kind: "zeros" } },
      "pos_embed.weight": { shape: [vision.positions, width], initialiser: { kind: "normal", std } },
    },
    block: {
      ...layerNormSpecs("norm1", width),
      ...layerNormSpecs("norm2", width),
      ...attentionSpecs(vision),
      ...linearSpecs("mlp.linear_fc1", mlpWidth, width, std),
      ...linearSpecs("mlp.linear_fc2", width, mlpWidth, std),
    },
    head: Object.assign(merger("merger", width), ...deep),
  };
}
