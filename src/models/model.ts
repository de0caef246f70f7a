/** What a model family provides: its configuration, its weights, and its two stacks as graph functions. */
import type { QuantizedBits } from "../compiler/ops/quantized.ts";
import type { Params, Tensor } from "../compiler/tensor.ts";
import type { Processor } from "../core/processor.ts";

/** How a weight is initialised when a model starts from random weights. */
export type Initialiser =
  | { readonly kind: "zeros" | "ones" }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly std: number }
  /** Uniform in ±bound in the first `rows` rows, zero below. */
  | { readonly kind: "uniform"; readonly bound: number; readonly rows: number };

export interface WeightSpec {
  readonly shape: readonly number[];
  readonly initialiser: Initialiser;
  /** Held as integers of so many bits with scales; frozen. */
  readonly quantized?: QuantizedBits;
}

/** cos and sin of the rotary angles: one row of headDim / 2 numbers per token. */
export interface RotaryTable {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/**
 * Mixes tokens of a row: query [rows, tokens, heads, headDim], divided by √headDim; key and value [rows, tokens,
 * keyValueHeads, headDim].
 */
export type Attend = (query: Tensor, key: Tensor, value: Tensor) => Tensor;

export interface BlockContext {
  /** [rows, tokens, headDim / 2] */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** Returns [rows, tokens, heads x headDim]. */
  readonly attend: Attend;
  /** Picks the rows that go on after attention, in the language model; absent: all. */
  readonly onward?: (rows: Tensor) => Tensor;
}

/**
 * stem -> blocks -> head. Blocks have equal weights and may differ in what they attend to and what is added after them.
 * Weights are looked up by name: whole names in stem and head, local ones in a block.
 */
export interface Stack {
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** What stands before a local name: block 3's "mlp.up_proj.weight" is "model.layers.3.mlp.up_proj.weight". */
  blockPrefix(index: number): string;
  readonly stemWeights: readonly string[];
  readonly blockWeights: readonly string[];
  readonly headWeights: readonly string[];
  /** x [flat, width] to the same shape. */
  block(weights: Params<Tensor>, x: Tensor, context: BlockContext): Tensor;
}

/** Learned positions: a patch's is the weighted sum of `taps` rows of a table among the stem's weights. */
export interface LearnedPositions {
  readonly taps: number;
  /** Rows and their weights, [patches x taps] each, of one frame in the tower's order. */
  of(grid: readonly [number, number, number]): { readonly rows: Int32Array; readonly weights: Float32Array };
}

/** Attention within windows of an image, in some blocks. */
export interface WindowAttention {
  hasWindows(block: number): boolean;
  /** The number of each patch's window, counted from 0, of one frame in the tower's order. */
  of(grid: readonly [number, number, number]): Int32Array;
}

export interface VisionStack extends Stack {
  /** Numbers per patch. */
  readonly patchSize: number;
  /** Patches that become one image token. */
  readonly patchesPerToken: number;
  readonly learnedPositions: LearnedPositions | null;
  /** Null: every block attends to the whole frame. */
  readonly windows: WindowAttention | null;
  /** Blocks whose outputs the head reads, ascending, the last one among them. */
  readonly headBlocks: readonly number[];
  /** patches [flat, patchSize] to [flat, width]; rows and weights [flat, taps] of the learned positions, where there are any. */
  stem(
    weights: Params<Tensor>,
    patches: Tensor,
    positions: { readonly rows: Tensor; readonly weights: Tensor } | null,
  ): Tensor;
  /** Outputs [flat, width] of `headBlocks` to image tokens [features, featureLevels x language width]. */
  head(weights: Params<Tensor>, outputs: readonly Tensor[]): Tensor;
  /** Rotary table of one frame's patches in the tower's order. */
  rotary(grid: readonly [number, number, number]): RotaryTable;
}

export interface LanguageStack extends Stack {
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly positionAxes: number;
  /** Levels of image features that an image token has: the first stands for its embedding, level k is added after block k − 1. */
  readonly featureLevels: number;
  /** Layers of a block that read the same numbers, by local names: a program may give their weights joined (`joinedName`). */
  readonly fusedProjections: readonly (readonly string[])[];
  /** Token embeddings [flat, width]; where `imageIndex` [flat] is not negative, that row of `features` [rows, width]. */
  stem(weights: Params<Tensor>, t: { tokenIds: Tensor; features: Tensor; imageIndex: Tensor }): Tensor;
  /** The weights of the final norm alone, which are among those of the head. */
  readonly normWeights: readonly string[];
  /** Final norm: x [flat, width] to the same shape; what heads read. */
  norm(weights: Params<Tensor>, x: Tensor): Tensor;
  /** Final norm and projection: x [flat, width] to logits [flat, vocabulary]. */
  head(weights: Params<Tensor>, x: Tensor): Tensor;
  /** Position ids [positionAxes x tokens] of a prompt, and the first position after it. */
  positions(
    tokenIds: Int32Array,
    grids: readonly (readonly [number, number, number])[],
  ): { readonly positions: Int32Array; readonly next: number };
  /** Rotary table of position ids [positionAxes x tokens]. */
  rotary(positions: Int32Array): RotaryTable;
}

/** A layer's adapter: y = W x + scaling · B (A x), with A [rank, in] and B [out, rank]. */
export interface AdapterLayer {
  readonly rank: number;
  readonly scaling: number;
}

/** A model of given sizes: pure functions, no weights. */
export interface Model {
  readonly modelType: string;
  /** config.json as it is written beside saved weights. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Every weight by its Hugging Face name; a tied weight once. */
  readonly weights: Readonly<Record<string, WeightSpec>>;
  /** The layers with an adapter, by their weights' common name; absent without adapters. */
  readonly adapters?: ReadonlyMap<string, AdapterLayer>;
  /** Share of the numbers of an adapter's input that training drops; absent: none. */
  readonly adapterDropout?: number;
  /** The weight [1, width] of its score head; absent without one. */
  readonly scoreHead?: string;
  readonly vision: VisionStack;
  readonly language: LanguageStack;
  readonly imageTokenId: number;
  /** Ids that mark images in a prompt and must never be sampled. */
  readonly visionTokenIds: readonly number[];
  /** The canonical name of a weight found in a checkpoint; a stored copy of a tied weight has the name of that weight. */
  canonicalName(stored: string): string;
  /** A layer's name in transformers' module tree, which adapters are stored and chosen by. */
  moduleName(layer: string): string;
}

/** A family: reads config.json. */
export interface ModelFamily {
  readonly modelType: string;
  /**
   * Chat template, tokenizer and image processing of a folder, limits in place of its own, for the model of `config`, whose
   * file is `source`. Throws UserError where the folder's files and that file disagree.
   */
  loadProcessor(
    folder: string,
    limits: { readonly minPixels?: number; readonly maxPixels?: number },
    config: Readonly<Record<string, unknown>>,
    source: string,
  ): Promise<Processor>;
  create(config: Readonly<Record<string, unknown>>, source: string): Model;
}
