/** The language model of the Qwen-VL families: grouped-query attention, multimodal rotary positions (arXiv 2409.12191), SwiGLU. */
import { add, gather, lessOrEqual, maximum, mul, reshape, where } from "../../compiler/ops/index.ts";
import { constant, type Params, type Tensor } from "../../compiler/tensor.ts";
import { int32 } from "../../core/tensor-data.ts";
import { applyRotary, linear, project, projectAll, rmsNorm, rotateQuery, silu } from "../../nn/layers.ts";
import type { BlockContext, LanguageStack, RotaryTable, WeightSpec } from "../model.ts";
import type { TextConfig } from "./config.ts";
import { ropePositions } from "./positions.ts";

const HEAD = "lm_head.weight";
/** Layers that read the same numbers. */
const READ_BY_ATTENTION = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
const READ_BY_MLP = ["mlp.gate_proj", "mlp.up_proj"];

export interface LanguageOptions {
  /** Begins the names of all weights but the head's. */
  readonly prefix: string;
  /** Patches per side that become one image token. */
  readonly merge: number;
  readonly featureLevels: number;
}

export function languageStack(config: TextConfig, o: LanguageOptions): LanguageStack {
  const { width, heads, keyValueHeads, headDim } = config;
  const { embedding, finalNorm, head, blockPrefix } = weightNames(config, o.prefix);
  const norm = (weights: Params<Tensor>, x: Tensor) => rmsNorm(x, weights[finalNorm]!, config.normEpsilon);
  return {
    depth: config.depth,
    width,
    heads,
    keyValueHeads,
    headDim,
    vocabularySize: config.vocabularySize,
    maxPositions: config.maxPositions,
    positionAxes: 3,
    featureLevels: o.featureLevels,
    blockPrefix,
    stemWeights: [embedding],
    blockWeights: Object.keys(blockSpecs(config)),
    headWeights: [finalNorm, head],
    fusedProjections: [READ_BY_ATTENTION, READ_BY_MLP],
    stem: (weights, { tokenIds, features, imageIndex }) => {
      const zero = constant(int32([], [0]));
      const isImage = reshape(lessOrEqual(zero, imageIndex), [...imageIndex.shape, 1]);
      return where(isImage, gather(features, maximum(imageIndex, zero)), gather(weights[embedding]!, tokenIds));
    },
    block: (weights, x, context) => languageBlock(weights, x, context, config),
    normWeights: [finalNorm],
    norm,
    head: (weights, x) => linear(norm(weights, x), weights[head]!),
    positions: (tokenIds, grids) =>
      ropePositions(tokenIds, grids, { imageTokenId: config.imageTokenId, mergeSize: o.merge }),
    rotary: (positions) => languageRotary(positions, config),
  };
}

function languageBlock(weights: Params<Tensor>, x: Tensor, context: BlockContext, config: TextConfig): Tensor {
  const { heads, keyValueHeads, headDim, normEpsilon, headNorms } = config;
  const p = (name: string) => weights[name]!;
  const { cos, sin, attend, onward = (rows: Tensor) => rows } = context;
  const [rows, tokens] = cos.shape;
  const normed = rmsNorm(x, p("input_layernorm.weight"), normEpsilon);
  const perHead = (t: Tensor, count: number) => reshape(t, [rows!, tokens!, count, headDim]);
  const ownNorm = (t: Tensor, name: string) => (headNorms ? rmsNorm(t, p(`self_attn.${name}.weight`), normEpsilon) : t);
  const [q, k, v] = projectAll(weights, READ_BY_ATTENTION, normed) as [Tensor, Tensor, Tensor];
  const query = rotateQuery(ownNorm(perHead(q, heads), "q_norm"), cos, sin);
  const key = applyRotary(ownNorm(perHead(k, keyValueHeads), "k_norm"), cos, sin);
  const mixed = reshape(attend(query, key, perHead(v, keyValueHeads)), [x.shape[0]!, heads * headDim]);
  const attended = add(onward(x), project(weights, "self_attn.o_proj", onward(mixed)));
  const inner = rmsNorm(attended, p("post_attention_layernorm.weight"), normEpsilon);
  const [gate, up] = projectAll(weights, READ_BY_MLP, inner) as [Tensor, Tensor];
  return add(attended, project(weights, "mlp.down_proj", mul(silu(gate), up)));
}

/** Each frequency turns with one of the position's axes (time, height, width). */
function languageRotary(positions: Int32Array, config: TextConfig): RotaryTable {
  const { headDim, ropeTheta, ropeAxes } = config;
  const tokens = positions.length / 3;
  const half = headDim / 2;
  const frequency = Array.from({ length: half }, (_, d) => 1 / ropeTheta ** ((2 * d) / headDim));
  const cos = new Float32Array(tokens * half);
  const sin = new Float32Array(tokens * half);
  for (let t = 0; t < tokens; t++) {
    for (let d = 0; d < half; d++) {
      const angle = positions[ropeAxes[d]! * tokens + t]! * frequency[d]!;
      cos[t * half + d] = Math.cos(angle);
      sin[t * half + d] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

function weightNames(config: TextConfig, prefix: string) {
  const embedding = `${prefix}embed_tokens.weight`;
  return {
    embedding,
    finalNorm: `${prefix}norm.weight`,
    head: config.tied ? embedding : HEAD,
    blockPrefix: (index: number) => `${prefix}layers.${index}.`,
  };
}

function blockSpecs(config: TextConfig): Record<string, WeightSpec> {
  const { width, mlpWidth, heads, keyValueHeads, headDim, std, biases, headNorms } = config;
  const matrix = (out: number, into: number): WeightSpec => ({
    shape: [out, into],
    initialiser: { kind: "normal", std },
  });
  const ones = (size: number): WeightSpec => ({ shape: [size], initialiser: { kind: "ones" } });
  const projection = (name: string, out: number, into: number): Record<string, WeightSpec> => {
    const bias: WeightSpec = { shape: [out], initialiser: { kind: "zeros" } };
    return {
      [`self_attn.${name}.weight`]: matrix(out, into),
      ...(biases.includes(name) ? { [`self_attn.${name}.bias`]: bias } : {}),
    };
  };
  const norms = { "self_attn.q_norm.weight": ones(headDim), "self_attn.k_norm.weight": ones(headDim) };
  return {
    "input_layernorm.weight": ones(width),
    ...projection("q_proj", heads * headDim, width),
    ...projection("k_proj", keyValueHeads * headDim, width),
    ...projection("v_proj", keyValueHeads * headDim, width),
    ...projection("o_proj", width, heads * headDim),
    ...(headNorms ? norms : {}),
    "post_attention_layernorm.weight": ones(width),
    "mlp.gate_proj.weight": matrix(mlpWidth, width),
    "mlp.up_proj.weight": matrix(mlpWidth, width),
    "mlp.down_proj.weight": matrix(width, mlpWidth),
  };
}

/** All weights of the language model by their Hugging Face names. */
export function languageWeights(config: TextConfig, prefix: string): Record<string, WeightSpec> {
  const { embedding, finalNorm, blockPrefix } = weightNames(config, prefix);
  const table: WeightSpec = {
    shape: [config.vocabularySize, config.width],
    initialiser: { kind: "normal", std: config.std },
  };
  const weights: Record<string, WeightSpec> = { [embedding]: table };
  for (let i = 0; i < config.depth; i++) {
    for (const [name, spec] of Object.entries(blockSpecs(config))) weights[`${blockPrefix(i)}${name}`] = spec;
  }
  weights[finalNorm] = { shape: [config.width], initialiser: { kind: "ones" } };
  if (!config.tied) weights[HEAD] = table;
  return weights;
}
