/** Qwen2-VL's vision tower: layer norms, quick GELU, full attention within an image, 2x2 merger. */
import { add } from "../../compiler/ops/index.ts";
import type { Params, Tensor } from "../../compiler/tensor.ts";
import { gelu, layerNorm, project, quickGelu } from "../../nn/layers.ts";
import type { BlockContext, VisionStack } from "../model.ts";
import type { VisionConfig } from "../qwen_vl/config.ts";
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

export function visionStack(vision: VisionConfig, outWidth: number, prefix: string): VisionStack {
  return {
    ...towerBase(vision, prefix, visionSpecs(vision, outWidth)),
    learnedPositions: null,
    windows: null,
    headBlocks: [vision.depth - 1],
    stem: (weights, patches) => embedPatches(weights, prefix, patches, vision),
    block: (weights, x, context) => visionBlock(weights, x, context, vision.heads),
    head: (weights, [x]) => {
      const p = (name: string) => weights[`${prefix}merger.${name}`]!;
      const merged = mergePatches(layerNorm(x!, p("ln_q.weight"), p("ln_q.bias"), NORM_EPSILON), vision);
      const linear = (name: string, input: Tensor) => project(weights, `${prefix}merger.${name}`, input);
      return linear("mlp.2", gelu(linear("mlp.0", merged)));
    },
  };
}

function visionBlock(weights: Params<Tensor>, x: Tensor, context: BlockContext, heads: number): Tensor {
  const norm = (name: string, t: Tensor) =>
    layerNorm(t, weights[`${name}.weight`]!, weights[`${name}.bias`]!, NORM_EPSILON);
  const attended = add(x, towerAttention(weights, norm("norm1", x), context, heads));
  const inner = quickGelu(project(weights, "mlp.fc1", norm("norm2", attended)));
  return add(attended, project(weights, "mlp.fc2", inner));
}

export function visionSpecs(vision: VisionConfig, outWidth: number): TowerSpecs {
  const { width, mlpWidth, std, merge } = vision;
  const merged = width * merge ** 2;
  return {
    stem: { "patch_embed.proj.weight": patchSpec(vision) },
    block: {
      ...layerNormSpecs("norm1", width),
      ...layerNormSpecs("norm2", width),
      ...attentionSpecs(vision),
      ...linearSpecs("mlp.fc1", mlpWidth, width, std),
      ...linearSpecs("mlp.fc2", width, mlpWidth, std),
    },
    head: {
      ...layerNormSpecs("merger.ln_q", width),
      ...linearSpecs("merger.mlp.0", merged, merged, std),
      ...linearSpecs("merger.mlp.2", outWidth, merged, std),
    },
  };
}
