/** Qwen2.5-VL's vision tower (arXiv 2502.13923): RMS norms, SwiGLU, attention within windows in all but a few blocks. */
import { add, mul } from "../../compiler/ops/index.ts";
import type { Params, Tensor } from "../../compiler/tensor.ts";
import { gelu, project, rmsNorm, silu } from "../../nn/layers.ts";
import type { BlockContext, VisionStack } from "../model.ts";
import {
  attentionSpecs,
  embedPatches,
  linearSpecs,
  mergePatches,
  NORM_EPSILON,
  patchSpec,
  rmsNormSpecs,
  type TowerSpecs,
  towerAttention,
  towerBase,
} from "../qwen_vl/vision.ts";
import type { WindowedVision } from "./config.ts";
import { windowsOf } from "./windows.ts";

export function visionStack(vision: WindowedVision, outWidth: number, prefix: string): VisionStack {
  return {
    ...towerBase(vision, prefix, visionSpecs(vision, outWidth)),
    learnedPositions: null,
    windows: {
      hasWindows: (block) => !vision.fullBlocks.includes(block),
      of: (grid) => windowsOf(grid, vision.merge, vision.windowTokens),
    },
    headBlocks: [vision.depth - 1],
    stem: (weights, patches) => embedPatches(weights, prefix, patches, vision),
    block: (weights, x, context) => visionBlock(weights, x, context, vision.heads),
    head: (weights, [x]) => {
      const merged = mergePatches(rmsNorm(x!, weights[`${prefix}merger.ln_q.weight`]!, NORM_EPSILON), vision);
      const linear = (name: string, input: Tensor) => project(weights, `${prefix}merger.${name}`, input);
      return linear("mlp.2", gelu(linear("mlp.0", merged)));
    },
  };
}

function visionBlock(weights: Params<Tensor>, x: Tensor, context: BlockContext, heads: number): Tensor {
  const norm = (name: string, t: Tensor) => rmsNorm(t, weights[`${name}.weight`]!, NORM_EPSILON);
  const attended = add(x, towerAttention(weights, norm("norm1", x), context, heads));
  const inner = norm("norm2", attended);
  const gated = mul(silu(project(weights, "mlp.gate_proj", inner)), project(weights, "mlp.up_proj", inner));
  return add(attended, project(weights, "mlp.down_proj", gated));
}

export function visionSpecs(vision: WindowedVision, outWidth: number): TowerSpecs {
  const { width, mlpWidth, std, merge } = vision;
  const merged = width * merge ** 2;
  return {
    stem: { "patch_embed.proj.weight": patchSpec(vision) },
    block: {
      ...rmsNormSpecs("norm1", width),
      ...rmsNormSpecs("norm2", width),
      ...attentionSpecs(vision),
      ...linearSpecs("mlp.gate_proj", mlpWidth, width, std),
      ...linearSpecs("mlp.up_proj", mlpWidth, width, std),
      ...linearSpecs("mlp.down_proj", width, mlpWidth, std),
    },
    head: {
      ...rmsNormSpecs("merger.ln_q", width),
      ...linearSpecs("merger.mlp.0", merged, merged, std),
      ...linearSpecs("merger.mlp.2", outWidth, merged, std),
    },
  };
}
