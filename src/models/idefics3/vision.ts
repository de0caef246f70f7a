/**
 * The vision tower of Idefics3 and SmolVLM: SigLIP (arXiv 2303.15343) with learned positions by fractional coordinates,
 * full attention within a tile, then pixel shuffle and a projection to the language model's width.
 */
import { add, gather, mul, reshape } from "../../compiler/ops/index.ts";
import { type Params, scalar, type Tensor } from "../../compiler/tensor.ts";
import { geluTanh, layerNorm, linear, project } from "../../nn/layers.ts";
import type { BlockContext, VisionStack, WeightSpec } from "../model.ts";
import type { Idefics3Config } from "./config.ts";
import { learnedPositions } from "./positions.ts";

const PREFIX = "model.vision_model.";
const PATCHES = `${PREFIX}embeddings.patch_embedding`;
const POSITIONS = `${PREFIX}embeddings.position_embedding.weight`;
const FINAL_NORM = `${PREFIX}post_layernorm`;
const PROJECTION = "model.connector.modality_projection.proj";
const blockPrefix = (index: number) => `${PREFIX}encoder.layers.${index}.`;

export function visionStack(config: Idefics3Config): VisionStack {
  const { vision } = config;
  const { merge, depth, width, heads, normEpsilon } = vision;
  const headDim = width / heads;
  const patchSize = 3 * vision.patch ** 2;
  return {
    depth,
    width,
    heads,
    keyValueHeads: heads,
    headDim,
    patchSize,
    patchesPerToken: merge ** 2,
    blockPrefix,
    stemWeights: [`${PATCHES}.weight`, `${PATCHES}.bias`, POSITIONS],
    blockWeights: Object.keys(blockSpecs(config)),
    headWeights: [`${FINAL_NORM}.weight`, `${FINAL_NORM}.bias`, `${PROJECTION}.weight`],
    learnedPositions: {
      taps: 1,
      of: ([, rows, columns]) => {
        const tableRows = learnedPositions(rows, columns, merge, vision.positionsPerSide);
        return { rows: tableRows, weights: new Float32Array(tableRows.length).fill(1) };
      },
    },
    windows: null,
    headBlocks: [depth - 1],
    stem: (weights, patches, positions) => {
      const kernel = reshape(weights[`${PATCHES}.weight`]!, [width, patchSize]);
      const embedded = linear(patches, kernel, weights[`${PATCHES}.bias`]);
      return add(embedded, gather(weights[POSITIONS]!, reshape(positions!.rows, ["flat"])));
    },
    block: (weights, x, context) => visionBlock(weights, x, context, vision),
    // Patches come in merge order, so that pixel shuffle is no more than reading those of one token as one.
    head: (weights, [x]) => {
      const normed = layerNorm(x!, weights[`${FINAL_NORM}.weight`]!, weights[`${FINAL_NORM}.bias`]!, normEpsilon);
      return project(weights, PROJECTION, reshape(normed, ["features", width * merge ** 2]));
    },
    // Nothing is rotated: of these a block reads the shape alone.
    rotary: ([, rows, columns]) => {
      const unread = new Float32Array((rows * columns * headDim) / 2);
      return { cos: unread, sin: unread };
    },
  };
}

function visionBlock(
  weights: Params<Tensor>,
  x: Tensor,
  context: BlockContext,
  { width, heads, normEpsilon }: Idefics3Config["vision"],
): Tensor {
  const p = (name: string) => weights[name]!;
  const [rows, tokens] = context.cos.shape;
  const normed = layerNorm(x, p("layer_norm1.weight"), p("layer_norm1.bias"), normEpsilon);
  const perHead = (name: string) =>
    reshape(project(weights, `self_attn.${name}`, normed), [rows!, tokens!, heads, width / heads]);
  const query = mul(perHead("q_proj"), scalar(1 / Math.sqrt(width / heads)));
  const mixed = reshape(context.attend(query, perHead("k_proj"), perHead("v_proj")), x.shape);
  const attended = add(x, project(weights, "self_attn.out_proj", mixed));
  const inner = layerNorm(attended, p("layer_norm2.weight"), p("layer_norm2.bias"), normEpsilon);
  return add(attended, project(weights, "mlp.fc2", geluTanh(project(weights, "mlp.fc1", inner))));
}

function blockSpecs({ vision }: Idefics3Config): Record<string, WeightSpec> {
  const { width, mlpWidth, std } = vision;
  return {
    ...normSpecs("layer_norm1", width),
    ...normSpecs("layer_norm2", width),
    ...linearSpecs("self_attn.q_proj", width, width, std),
    ...linearSpecs("self_attn.k_proj", width, width, std),
    ...linearSpecs("self_attn.v_proj", width, width, std),
    ...linearSpecs("self_attn.out_proj", width, width, std),
    ...linearSpecs("mlp.fc1", mlpWidth, width, std),
    ...linearSpecs("mlp.fc2", width, mlpWidth, std),
  };
}

/** All weights of the tower and of its connector by their Hugging Face names. */
export function visionWeights(config: Idefics3Config): Record<string, WeightSpec> {
  const { text, vision } = config;
  const { merge, width, patch, positionsPerSide, std, depth } = vision;
  const normal = (...shape: number[]): WeightSpec => ({ shape, initialiser: { kind: "normal", std } });
  const weights: Record<string, WeightSpec> = {
    [`${PATCHES}.weight`]: normal(width, 3, patch, patch),
    [`${PATCHES}.bias`]: { shape: [width], initialiser: { kind: "zeros" } },
    [POSITIONS]: normal(positionsPerSide ** 2, width),
  };
  for (let i = 0; i < depth; i++) {
    for (const [name, spec] of Object.entries(blockSpecs(config))) weights[`${blockPrefix(i)}${name}`] = spec;
  }
  return {
    ...weights,
    ...normSpecs(FINAL_NORM, width),
    [`${PROJECTION}.weight`]: normal(text.width, width * merge ** 2),
  };
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
