/** The graph programs of a model, one per block kind and direction; weights are inputs, so one program serves all layers. */
import {
  defaultLossNumbers,
  type TokenLossVariant,
  type TokenTerms,
  tokenColumns,
} from "../../algorithms/algorithm.ts";
import { type TokenLossName, tokenLosses } from "../../algorithms/index.ts";
import { tokenLossOf } from "../../algorithms/token-loss.ts";
import { grad, vjp } from "../../compiler/grad.ts";
import { cachedAttention, gather, mul, pick, reshape, sub, sum } from "../../compiler/ops/index.ts";
import { type Dim, input, type Params, type Program, type Tensor } from "../../compiler/tensor.ts";
import type { Attend, BlockContext, Model, Stack } from "../../models/model.ts";
import { attention } from "../../nn/layers.ts";
import { entropy, type SamplingVariant, sampleToken, samplingLogProbs } from "../../nn/sampling.ts";

/** A forward program and the one that differentiates it: inputs "d.<output>" to outputs "d.<input or weight>". */
export interface ProgramPair {
  readonly forward: Program;
  readonly backward: Program;
}

function float(name: string, ...shape: Dim[]): Tensor {
  return input(name, "float32", shape);
}

function ints(name: string, ...shape: Dim[]): Tensor {
  return input(name, "int32", shape);
}

/** Weights of a stack's part as program inputs, under local names. */
function weightInputs(model: Model, names: readonly string[], prefix = ""): Params<Tensor> {
  return Object.fromEntries(names.map((name) => [name, float(name, ...model.weights[prefix + name]!.shape)]));
}

function pair(inputs: Params<Tensor>, y: Tensor, wrt: readonly string[]): ProgramPair {
  const cotangent = float("d.y", ...y.shape);
  const gradients = vjp(
    [y],
    [cotangent],
    wrt.map((name) => inputs[name]!),
  );
  return {
    forward: { inputs, outputs: { y } },
    backward: {
      inputs: { ...inputs, "d.y": cotangent },
      outputs: Object.fromEntries(wrt.map((name, i) => [`d.${name}`, gradients[i]!])),
    },
  };
}

/**
 * One block of a stack; `masked` adds the input "bias" [rows, tokens, tokens] to attention scores, `trained` are the local
 * names of the weights that the backward program differentiates.
 */
export function blockPrograms(model: Model, stack: Stack, masked: boolean, trained: readonly string[]): ProgramPair {
  const weights = weightInputs(model, stack.blockWeights, stack.blockPrefix(0));
  const context = rotaryInputs(stack);
  const bias = masked ? float("bias", "rows", "tokens", "tokens") : null;
  const x = float("x", "flat", stack.width);
  const attend: Attend = (query, key, value) => attention(query, key, value, bias);
  const y = stack.block(weights, x, { ...context, attend });
  const inputs = { x, ...context, ...(bias === null ? {} : { bias }), ...weights };
  return pair(inputs, y, ["x", ...trained]);
}

function rotaryInputs(stack: Stack): Pick<BlockContext, "cos" | "sin"> {
  return {
    cos: float("cos", "rows", "tokens", stack.headDim),
    sin: float("sin", "rows", "tokens", stack.headDim),
  };
}

export function visionStemPrograms(model: Model, trained: readonly string[]): ProgramPair {
  const { vision } = model;
  const weights = weightInputs(model, vision.stemWeights);
  const patches = float("patches", "flat", vision.patchSize);
  return pair({ patches, ...weights }, vision.stem(weights, patches), trained);
}

export function visionHeadPrograms(model: Model, trained: readonly string[]): ProgramPair {
  const { vision } = model;
  const weights = weightInputs(model, vision.headWeights);
  const x = float("x", "flat", vision.width);
  return pair({ x, ...weights }, vision.head(weights, x), ["x", ...trained]);
}

export function languageStemPrograms(model: Model, trained: readonly string[]): ProgramPair {
  const { language } = model;
  const weights = weightInputs(model, language.stemWeights);
  const inputs = stemInputs(model);
  const y = language.stem(weights, inputs);
  return pair({ ...inputs, ...weights }, y, ["features", ...trained]);
}

function stemInputs(model: Model) {
  return {
    tokenIds: ints("tokenIds", "flat"),
    features: float("features", "features", model.language.width),
    imageIndex: ints("imageIndex", "flat"),
  };
}

function samplingInputs(model: Model) {
  return {
    temperature: float("temperature"),
    topP: float("topP"),
    banned: float("banned", model.language.vocabularySize),
  };
}

/** Log-probs and entropies of targets, without a loss. */
export function scoreProgram(model: Model, sampling: SamplingVariant): Program {
  const t = headInputs(model);
  const logProbs = samplingLogProbs(model.language.head(t.weights, t.x), sampling, t.sampling, t.targets);
  const picked = pick(logProbs, t.targets);
  return {
    inputs: { x: t.x, targets: t.targets, ...t.sampling, ...t.weights },
    outputs: { logProb: picked, entropy: entropy(logProbs) },
  };
}

/** Loss of target tokens and its gradient by hidden states and head weights. */
export function lossProgram(
  model: Model,
  sampling: SamplingVariant,
  name: TokenLossName,
  variant: TokenLossVariant,
  trained: readonly string[],
): Program {
  const t = headInputs(model);
  const logProbs = samplingLogProbs(model.language.head(t.weights, t.x), sampling, t.sampling, t.targets);
  const logProb = pick(logProbs, t.targets);
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
    ...t.weights,
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

function headInputs(model: Model) {
  return {
    x: float("x", "chunk", model.language.width),
    targets: ints("targets", "chunk"),
    sampling: samplingInputs(model),
    weights: weightInputs(model, model.language.headWeights),
  };
}

/** Logits [chunk, vocabulary] of hidden states, for tests and tools. */
export function logitsProgram(model: Model): Program {
  const { x, weights } = headInputs(model);
  return { inputs: { x, ...weights }, outputs: { logits: model.language.head(weights, x) } };
}

/**
 * The whole language model over a key-value cache: a prompt at once into an empty cache, or one token for each of many
 * rows; then one sampled token for each line of "last" (indices into the flat tokens). Layer i's weights are inputs under
 * their whole names, its cache "keys.i" and "values.i" [rows, keyValueHeads, capacity, headDim], which "next.keys.i" and "next.values.i" extend.
 */
export function generateProgram(model: Model, sampling: SamplingVariant): Program {
  const { language } = model;
  const { depth, heads, keyValueHeads, headDim } = language;
  const weights = weightInputs(model, [
    ...new Set([...language.stemWeights, ...language.headWeights, ...layerWeights(language)]),
  ]);
  const stem = stemInputs(model);
  const context = rotaryInputs(language);
  const lastPosition = ints("lastPosition", "rows");
  const length = ints("length");
  const last = ints("last", "samples");
  const uniform = float("uniform", "samples");
  const t = samplingInputs(model);
  const caches: Record<string, Tensor> = {};
  const extended: Record<string, Tensor> = {};
  let x = language.stem(weights, stem);
  for (let i = 0; i < depth; i++) {
    const cache = (kind: string) => float(`${kind}.${i}`, "rows", keyValueHeads, "capacity", headDim);
    const [pastKeys, pastValues] = [cache("keys"), cache("values")];
    const attend: Attend = (query, key, value) => {
      const merge = (part: Tensor) =>
        reshape(part, [part.shape[0]!, part.shape[1]!, (part.shape[2] as number) * headDim]);
      const result = cachedAttention(
        { query: merge(query), key: merge(key), value: merge(value), pastKeys, pastValues, lastPosition, length },
        { heads, keyValueHeads },
      );
      caches[`keys.${i}`] = pastKeys;
      caches[`values.${i}`] = pastValues;
      extended[`next.keys.${i}`] = result.keys;
      extended[`next.values.${i}`] = result.values;
      return result.output;
    };
    x = language.block(localWeights(language, weights, i), x, { ...context, attend });
  }
  const logProbs = samplingLogProbs(language.head(weights, gather(x, last)), sampling, t);
  const { token, logProb } = sampleToken(logProbs, sampling, uniform);
  return {
    inputs: { ...stem, ...context, lastPosition, length, last, uniform, ...t, ...caches, ...weights },
    outputs: { token, logProb, ...extended },
  };
}

function layerWeights(stack: Stack): string[] {
  return Array.from({ length: stack.depth }, (_, i) =>
    stack.blockWeights.map((name) => stack.blockPrefix(i) + name),
  ).flat();
}

/** A block's view of weights held under whole names. */
export function localWeights<T>(stack: Stack, weights: Params<T>, index: number): Record<string, T> {
  const prefix = stack.blockPrefix(index);
  return Object.fromEntries(stack.blockWeights.map((name) => [name, weights[prefix + name]!]));
}
