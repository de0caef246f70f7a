/**
 * The graph programs for training and scoring, one per block kind and direction; weights are inputs, so one program
 * serves all layers.
 */

import { type TokenLossVariant, type TokenTerms, tokenColumns } from "../../algorithms/algorithm.ts";
import { defaultLossNumbers, type TokenLossName, tokenLosses } from "../../algorithms/index.ts";
import { tokenLossOf } from "../../algorithms/token-loss.ts";
import { grad, vjp } from "../../compiler/grad.ts";
import { cast, mul, sub, sum, takeAlongLastAxis } from "../../compiler/ops/index.ts";
import { rewrite, selectSavedActivations } from "../../compiler/rewrite.ts";
import { input, type Params, type Program, scalar, type Tensor } from "../../compiler/tensor.ts";
import type { TokenStat } from "../../core/records.ts";
import { adaptedLayers } from "../../models/lora.ts";
import type { Attend, Model, Stack } from "../../models/model.ts";
import { packedName, scalesName } from "../../models/quantize.ts";
import { scoreHead } from "../../nn/attachments/score-head.ts";
import { attention, windowAttention } from "../../nn/layers.ts";
import { LORA_MASK, LORA_SUM } from "../../nn/lora.ts";
import { packedAttention } from "../../nn/packed-attention.ts";
import { entropy, type SamplingVariant, samplingLogProbs, tokenStatistics } from "../../nn/sampling.ts";
import { addFeatures, float, ints, rotaryInputs, samplingInputs, stemInputs, weightInputs } from "./program-inputs.ts";

/** A forward program and its gradient: from inputs "d.y" to outputs "d.<input or weight>". */
export interface ProgramPair {
  readonly forward: Program;
  /** Recomputes what it needs of the forward pass. */
  readonly backward: Program;
}

/**
 * A pair of programs, and a second pair that saves costly activations: "kept.<i>" are outputs of its forward program
 * and inputs of its backward program.
 */
export interface BlockPrograms extends ProgramPair {
  readonly saving: ProgramPair;
}

function pair(inputs: Params<Tensor>, y: Tensor, wrt: readonly string[]): ProgramPair {
  const { cotangent, gradients } = gradientsOf(inputs, y, wrt);
  return {
    forward: { inputs, outputs: { y } },
    backward: { inputs: { ...inputs, "d.y": cotangent }, outputs: gradients },
  };
}

function gradientsOf(inputs: Params<Tensor>, y: Tensor, wrt: readonly string[]) {
  const cotangent = float("d.y", ...y.shape);
  const found = vjp(
    [y],
    [cotangent],
    wrt.map((name) => inputs[name]!),
  );
  return { cotangent, gradients: Object.fromEntries(wrt.map((name, i) => [`d.${name}`, found[i]!])) };
}

function blockPair(inputs: Params<Tensor>, y: Tensor, wrt: readonly string[]): BlockPrograms {
  const { cotangent, gradients } = gradientsOf(inputs, y, wrt);
  const kept = selectSavedActivations(y, Object.values(gradients));
  const keptInputs = kept.map((node, i) => input(`kept.${i}`, node.dtype, node.shape));
  const read = new Map(kept.map((node, i) => [node, keptInputs[i]!]));
  const named = <T>(all: readonly T[]) => Object.fromEntries(all.map((item, i) => [`kept.${i}`, item]));
  const backwardInputs = { ...inputs, "d.y": cotangent };
  return {
    forward: { inputs, outputs: { y } },
    backward: { inputs: backwardInputs, outputs: gradients },
    saving: {
      forward: { inputs, outputs: { y, ...named(kept) } },
      backward: {
        inputs: { ...backwardInputs, ...named(keptInputs) },
        outputs: rewrite(gradients, (original, node) => read.get(original) ?? node),
      },
    },
  };
}

/**
 * Inputs of a block besides its input, rotary table and weights; each kind of block in a stack has its own programs.
 */
export interface BlockKind {
  /**
   * Whether tokens are flat packed rows, placed by the inputs of `layoutInputs`; otherwise rows with full
   * self-attention.
   */
  readonly packed: boolean;
  /** Attention within windows; its tables are the inputs "windowIndex", "windowBias" and "windowPlace". */
  readonly windowed: boolean;
  /** Adds level "level" of the image tokens' features (inputs as in the stem) to the block's output. */
  readonly featured: boolean;
  /** Feeds of its adapters other than their matrices; null for none. */
  readonly adapters: AdapterMode | null;
}

/**
 * "masks": inputs "<layer>.lora_mask" [flat, in], 0 where dropout zeroes an element of the adapter's input. "sums":
 * inputs "<layer>.lora_sum" [out, in], the layers' weights with adapters merged, used instead of the layers' own.
 */
export type AdapterMode = "masks" | "sums";

/** One block of a stack; `trained` are the local names of the weights that the backward program differentiates. */
export function blockPrograms(model: Model, stack: Stack, kind: BlockKind, trained: readonly string[]): BlockPrograms {
  const { weights, inputs: weightsFed } = weightInputs(model, stack.blockWeights, stack.blockPrefix(0));
  const context = kind.packed ? rotaryInputs(stack, 1, "flat") : rotaryInputs(stack, "rows", "tokens");
  const x = float("x", "flat", stack.width);
  const mixing = mixingInputs(kind);
  const adapters = adapterInputs(model, kind.adapters, stack.blockWeights, stack.blockPrefix(0), "flat");
  const inputs = { x, ...context, ...mixing.inputs, ...weightsFed, ...adapters.inputs };
  const y = stack.block({ ...weights, ...adapters.weights }, x, { ...context, attend: mixing.attend });
  if (!kind.featured) return blockPair(inputs, y, ["x", ...trained]);
  const { features, imageIndex } = stemInputs(model);
  const level = ints("level");
  const added = addFeatures(y, features, imageIndex, level);
  return blockPair({ ...inputs, features, imageIndex, level }, added, ["x", "features", ...trained]);
}

/**
 * Inputs of the adapters among a part's weights other than their matrices, and the tensors that replace them among the
 * weights.
 */
function adapterInputs(
  model: Model,
  mode: AdapterMode | null,
  names: readonly string[],
  prefix: string,
  rowCount: string,
) {
  const layers = mode === null ? [] : adaptedLayers(names);
  const scale = scalar(1 / (1 - (model.adapterDropout ?? 0)));
  const fed = layers.map((layer) => {
    const shape = model.weights[`${prefix}${layer}.weight`]!.shape;
    if (mode === "masks") return input(`${layer}.${LORA_MASK}`, "uint8", [rowCount, shape[1]!]);
    return input(`${layer}.${LORA_SUM}`, "float32", shape);
  });
  return {
    inputs: Object.fromEntries(fed.map((t) => [t.attrs.name, t])),
    weights: Object.fromEntries(fed.map((t) => [t.attrs.name, mode === "masks" ? mul(cast(t, "float32"), scale) : t])),
  };
}

/** The attention of a block of this kind, and its inputs. */
function mixingInputs(kind: BlockKind): { readonly inputs: Params<Tensor>; readonly attend: Attend } {
  if (kind.packed) {
    const layout = layoutInputs();
    return { inputs: layout, attend: (query, key, value) => packedAttention(query, key, value, layout) };
  }
  if (kind.windowed) {
    const windowIndex = ints("windowIndex", "windowPlaces");
    const windowBias = float("windowBias", "windows", "places", "places");
    const windowPlace = ints("windowPlace", "flat");
    const windows = { index: windowIndex, bias: windowBias, place: windowPlace };
    return {
      inputs: { windowIndex, windowBias, windowPlace },
      attend: (query, key, value) => windowAttention(query, key, value, windows),
    };
  }
  return { inputs: {}, attend: (query, key, value) => attention(query, key, value, null) };
}

function layoutInputs() {
  return {
    promptTokens: ints("promptTokens", "promptPlaces"),
    completionTokens: ints("completionTokens", "completionPlaces"),
    placeOf: ints("placeOf", "flat"),
    promptBias: float("promptBias", "packedRows", "prompt"),
    promptMask: float("promptMask", "prompt", "prompt"),
    completionMask: float("completionMask", "completion", "completion"),
    group: float("group", "group"),
  };
}

export function visionStemPrograms(model: Model, trained: readonly string[]): ProgramPair {
  const { vision } = model;
  const { weights, inputs: weightsFed } = weightInputs(model, vision.stemWeights);
  const patches = float("patches", "flat", vision.patchSize);
  if (vision.learnedPositions === null) {
    return pair({ patches, ...weightsFed }, vision.stem(weights, patches, null), trained);
  }
  const { taps } = vision.learnedPositions;
  const rows = ints("positionRows", "flat", taps);
  const shares = float("positionWeights", "flat", taps);
  const inputs = { patches, positionRows: rows, positionWeights: shares, ...weightsFed };
  return pair(inputs, vision.stem(weights, patches, { rows, weights: shares }), trained);
}

export function visionHeadPrograms(
  model: Model,
  trained: readonly string[],
  mode: AdapterMode | null = null,
): ProgramPair {
  const { vision } = model;
  const { weights, inputs: weightsFed } = weightInputs(model, vision.headWeights);
  const outputs = vision.headBlocks.map((block) => float(blockOutput(block), "flat", vision.width));
  const inputs = Object.fromEntries(vision.headBlocks.map((block, i) => [blockOutput(block), outputs[i]!]));
  const adapters = adapterInputs(model, mode, vision.headWeights, "", "features");
  const y = vision.head({ ...weights, ...adapters.weights }, outputs);
  return pair({ ...inputs, ...weightsFed, ...adapters.inputs }, y, [...Object.keys(inputs), ...trained]);
}

/** Name of the vision head's input for a block's output. */
export const blockOutput = (block: number) => `block.${block}`;

/** Embeds tokens into the first block's input; its gradient needs no program. */
export function languageStemProgram(model: Model): Program {
  const { language } = model;
  const { weights, inputs: weightsFed } = weightInputs(model, language.stemWeights);
  const inputs = stemInputs(model);
  return { inputs: { ...inputs, ...weightsFed }, outputs: { y: language.stem(weights, inputs) } };
}

/** Log-probs and entropies of targets, and each of `stats` as "stat.<name>", without a loss. */
export function scoreProgram(model: Model, sampling: SamplingVariant, stats: readonly TokenStat[] = []): Program {
  const t = headInputs(model);
  const logits = model.language.head(t.weights, t.x);
  const logProbs = samplingLogProbs(logits, sampling, t.sampling, t.targets);
  const picked = takeAlongLastAxis(logProbs, t.targets);
  const { temperature } = t.sampling;
  const of = { logits, logProbs, tokens: t.targets, variant: sampling, temperature };
  return {
    inputs: { x: t.x, targets: t.targets, ...t.sampling, ...t.weightsFed },
    outputs: {
      logProb: picked,
      entropy: entropy(logProbs),
      ...Object.fromEntries(stats.map((name) => [`stat.${name}`, tokenStatistics[name](of)])),
    },
  };
}

/** Loss of target tokens and its gradient with respect to hidden states and head weights. */
export function lossProgram(
  model: Model,
  sampling: SamplingVariant,
  name: TokenLossName,
  variant: TokenLossVariant,
  trained: readonly string[],
): Program {
  const t = headInputs(model);
  const logProbs = samplingLogProbs(model.language.head(t.weights, t.x), sampling, t.sampling, t.targets);
  const logProb = takeAlongLastAxis(logProbs, t.targets);
  const entropies = entropy(logProbs);
  const columns = Object.fromEntries(tokenColumns.map((column) => [column, float(column, "chunk")]));
  const numbers = Object.fromEntries(Object.keys(defaultLossNumbers).map((key) => [key, float(key)]));
  const weight = float("weight", "chunk");
  const entropyWeight = float("entropyWeight", "chunk");
  const terms = { logProb, ...columns, ...numbers } as TokenTerms;
  const tokenLoss = sum(mul(weight, tokenLossOf(tokenLosses[name], terms, variant)));
  const loss = variant.entropyBonus ? sub(tokenLoss, sum(mul(entropyWeight, entropies))) : tokenLoss;
  const wrt = ["x", ...trained];
  const inputs = {
    x: t.x,
    targets: t.targets,
    weight,
    entropyWeight,
    ...columns,
    ...numbers,
    ...t.sampling,
    ...t.weightsFed,
  };
  const gradients = grad(
    loss,
    wrt.map((key) => (inputs as Params<Tensor>)[key]!),
  );
  return {
    inputs,
    outputs: {
      loss,
      logProb,
      entropy: entropies,
      ...Object.fromEntries(wrt.map((key, i) => [`d.${key}`, gradients[i]!])),
    },
  };
}

/** Scores [chunk] of hidden states by the model's score head. */
export function headScoreProgram(model: Model): Program {
  const { inputs, scores } = scoreHeadParts(model);
  return { inputs, outputs: { scores } };
}

/** The gradient of scores x "d.scores" [chunk] by hidden states and the trained among norm and head. */
export function headScoreGradientProgram(model: Model, trained: readonly string[]): Program {
  const { inputs, scores } = scoreHeadParts(model);
  const dScores = float("d.scores", "chunk");
  const wrt = ["x", ...trained];
  const gradients = vjp(
    [scores],
    [dScores],
    wrt.map((key) => inputs[key]!),
  );
  const outputs = Object.fromEntries(wrt.map((key, i) => [`d.${key}`, gradients[i]!]));
  return { inputs: { ...inputs, "d.scores": dScores }, outputs: { scores, ...outputs } };
}

/** Names of the weights that turn a hidden state into a score. */
export function scoreHeadWeights({ language, scoreHead }: Model): readonly string[] {
  return [...language.normWeights, ...(scoreHead === undefined ? [] : [scoreHead])];
}

function scoreHeadParts(model: Model): { readonly inputs: Params<Tensor>; readonly scores: Tensor } {
  const { weights, inputs } = weightInputs(model, scoreHeadWeights(model));
  const x = float("x", "chunk", model.language.width);
  const scores = scoreHead.apply(
    { weight: weights[model.scoreHead!]! },
    model.language.norm(weights, x),
    model.language,
  );
  return { inputs: { x, ...inputs }, scores };
}

function headInputs(model: Model) {
  const { weights, inputs: weightsFed } = weightInputs(model, model.language.headWeights);
  return {
    x: float("x", "chunk", model.language.width),
    targets: ints("targets", "chunk"),
    sampling: samplingInputs(model),
    weights,
    weightsFed,
  };
}

/** Logits [chunk, vocabulary] of hidden states, for tests and tools. */
export function logitsProgram(model: Model): Program {
  const { x, weights, weightsFed } = headInputs(model);
  return { inputs: { x, ...weightsFed }, outputs: { logits: model.language.head(weights, x) } };
}

/** A block's weights under local names. */
export function localWeights<T>(stack: Stack, weights: Params<T>, index: number): Record<string, T> {
  const prefix = stack.blockPrefix(index);
  const own = stack.blockWeights.flatMap((name) => [name, packedName(name), scalesName(name)]);
  return Object.fromEntries(
    own.flatMap((name) => (weights[prefix + name] === undefined ? [] : [[name, weights[prefix + name]!]])),
  );
}
