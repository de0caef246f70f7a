/** Qwen2-VL's language model: grouped-query attention, multimodal rotary positions (arXiv 2409.12191), SwiGLU. */
import { add, gather, lessOrEqual, maximum, mul, reshape, where } from "../../compiler/ops/index.ts";
import { constant, type Params, type Tensor } from "../../compiler/tensor.ts";
import { int32 } from "../../core/tensor-data.ts";
import { linear, project, rmsNorm, rotate, silu } from "../../nn/layers.ts";
import type { BlockContext, LanguageStack, RotaryTable, WeightSpec } from "../model.ts";
import type { Qwen2VLConfig } from "./config.ts";
import { ropePositions } from "./positions.ts";

const EMBEDDING = "model.embed_tokens.weight";
const FINAL_NORM = "model.norm.weight";
const HEAD = "lm_head.weight";
const blockPrefix = (index: number) => `model.layers.${index}.`;

export function languageStack(config: Qwen2VLConfig): LanguageStack {
  const { width, heads, keyValueHeads, headDim } = config;
  const head = config.tied ? EMBEDDING : HEAD;
  return {
    depth: config.depth,
    width,
    heads,
    keyValueHeads,
    headDim,
    vocabularySize: config.vocabularySize,
    maxPositions: config.maxPositions,
    positionAxes: 3,
    featureLines: 1,
    blockPrefix,
    stemWeights: [EMBEDDING],
    blockWeights: Object.keys(blockSpecs(config)),
    headWeights: [FINAL_NORM, head],
    stem: (weights, { tokenIds, features, imageIndex }) => {
      const zero = constant(int32([], [0]));
      const isImage = reshape(lessOrEqual(zero, imageIndex), [...imageIndex.shape, 1]);
      return where(isImage, gather(features, maximum(imageIndex, zero)), gather(weights[EMBEDDING]!, tokenIds));
    },
    block: (weights, x, context) => languageBlock(weights, x, context, config),
    head: (weights, x) => linear(rmsNorm(x, weights[FINAL_NORM]!, config.normEpsilon), weights[head]!),
    positions: (tokenIds, grids) =>
      ropePositions(tokenIds, grids, { imageTokenId: config.imageTokenId, mergeSize: config.vision.merge }),
    rotary: (positions) => languageRotary(positions, config),
  };
}

function languageBlock(weights: Params<Tensor>, x: Tensor, context: BlockContext, config: Qwen2VLConfig): Tensor {
  const { heads, keyValueHeads, headDim, normEpsilon } = config;
  const p = (name: string) => weights[name]!;
  const [rows, tokens] = context.cos.shape;
  const normed = rmsNorm(x, p("input_layernorm.weight"), normEpsilon);
  const linear = (name: string, input: Tensor) => project(weights, name, input);
  const perHead = (name: string, count: number) =>
    reshape(linear(`self_attn.${name}`, normed), [rows!, tokens!, count, headDim]);
  const query = rotate(perHead("q_proj", heads), context.cos, context.sin);
  const key = rotate(perHead("k_proj", keyValueHeads), context.cos, context.sin);
  const mixed = reshape(context.attend(query, key, perHead("v_proj", keyValueHeads)), [x.shape[0]!, heads * headDim]);
  const attended = add(x, linear("self_attn.o_proj", mixed));
  const inner = rmsNorm(attended, p("post_attention_layernorm.weight"), normEpsilon);
  const gated = mul(silu(linear("mlp.gate_proj", inner)), linear("mlp.up_proj", inner));
  return add(attended, linear("mlp.down_proj", gated));
}

/** Each frequency turns with one of the position's axes (time, height, width), by `mrope_section`; halves repeat. */
function languageRotary(positions: Int32Array, config: Qwen2VLConfig): RotaryTable {
  const { headDim, ropeTheta, ropeSections } = config;
  const tokens = positions.length / 3;
  const half = headDim / 2;
  const axisOf = ropeSections.flatMap((count, section) => new Array<number>(count).fill(section % 3));
  const frequency = Array.from({ length: half }, (_, d) => 1 / ropeTheta ** ((2 * d) / headDim));
  const cos = new Float32Array(tokens * headDim);
  const sin = new Float32Array(tokens * headDim);
  for (let t = 0; t < tokens; t++) {
    for (let d = 0; d < half; d++) {
      const angle = positions[axisOf[d]! * tokens + t]! * frequency[d]!;
      const at = t * headDim + d;
      cos[at] = cos[at + half] = Math.cos(angle);
      sin[at] = sin[at + half] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

function blockSpecs(config: Qwen2VLConfig): Record<string, WeightSpec> {
  const { width, mlpWidth, heads, keyValueHeads, headDim, std } = config;
  const matrix = (out: number, into: number): WeightSpec => ({
    shape: [out, into],
    initialiser: { kind: "normal", std },
  });
  const ones: WeightSpec = { shape: [width], initialiser: { kind: "ones" } };
  const zeros = (size: number): WeightSpec => ({ shape: [size], initialiser: { kind: "zeros" } });
  return {
    "input_layernorm.weight": ones,
    "self_attn.q_proj.weight": matrix(heads * headDim, width),
    "self_attn.q_proj.bias": zeros(heads * headDim),
    "self_attn.k_proj.weight": matrix(keyValueHeads * headDim, width),
    "self_attn.k_proj.bias": zeros(keyValueHeads * headDim),
    "self_attn.v_proj.weight": matrix(keyValueHeads * headDim, width),
    "self_attn.v_proj.bias": zeros(keyValueHeads * headDim),
    "self_attn.o_proj.weight": matrix(width, heads * headDim),
    "post_attention_layernorm.weight": ones,
    "mlp.gate_proj.weight": matrix(mlpWidth, width),
    "mlp.up_proj.weight": matrix(mlpWidth, width),
    "mlp.down_proj.weight": matrix(width, mlpWidth),
  };
}

/** All weights of the language model by their Hugging Face names. */
export function languageWeights(config: Qwen2VLConfig): Record<string, WeightSpec> {
  const embedding: WeightSpec = {
    shape: [config.vocabularySize, config.width],
    initialiser: { kind: "normal", std: config.std },
  };
  const weights: Record<string, WeightSpec> = { [EMBEDDING]: embedding };
  for (let i = 0; i < config.depth; i++) {
    for (const [name, spec] of Object.entries(blockSpecs(config))) weights[`${blockPrefix(i)}${name}`] = spec;
  }
  weights[FINAL_NORM] = { shape: [config.width], initialiser: { kind: "ones" } };
  if (!config.tied) weights[HEAD] = embedding;
  return weights;
}
