/** Inputs shared by programs: weights, rotary tables, tokens with image features, sampling parameters. */
import { add, dequantize, gather, lessOrEqual, reshape, where } from "../../compiler/ops/index.ts";
import { QUANTIZED_BLOCK } from "../../compiler/ops/quantized.ts";
import type { Dim } from "../../compiler/spec.ts";
import { constant, input, type Params, scalar, type Tensor } from "../../compiler/tensor.ts";
import { type DType, int32 } from "../../core/tensor-data.ts";
import type { BlockContext, Model, Stack } from "../../models/model.ts";
import { packedName, scalesName } from "../../models/quantize.ts";

/** A float32 input. */
export function float(name: string, ...shape: Dim[]): Tensor {
  return input(name, "float32", shape);
}

/** An int32 input. */
export function ints(name: string, ...shape: Dim[]): Tensor {
  return input(name, "int32", shape);
}

/** Weights of a part of the model under local names, and the program inputs that hold them. */
export interface WeightInputs {
  readonly weights: Params<Tensor>;
  readonly inputs: Params<Tensor>;
}

/** The weights `prefix + name` as stored: float32, or quantised with scales. */
export function weightInputs(model: Model, names: readonly string[], prefix = ""): WeightInputs {
  const inputs: Record<string, Tensor> = {};
  const declare = (name: string, dtype: DType, shape: readonly Dim[]): Tensor => {
    inputs[name] = input(name, dtype, shape);
    return inputs[name];
  };
  const read = (name: string): Tensor => {
    const { shape, quantized } = model.weights[prefix + name]!;
    if (quantized === undefined) return declare(name, "float32", shape);
    const [out, into] = shape as [number, number];
    const packed = declare(packedName(name), "uint8", [out, (into * quantized) / 8]);
    const scales = declare(scalesName(name), "float32", [out, into / QUANTIZED_BLOCK]);
    return dequantize(packed, scales, quantized);
  };
  const weights = Object.fromEntries(names.map((name) => [name, read(name)]));
  return { weights, inputs };
}

/** A stack's rotary table, [rows, tokens, headDim / 2] each. */
export function rotaryInputs(stack: Stack, rows: Dim, tokens: Dim): Pick<BlockContext, "cos" | "sin"> {
  return {
    cos: float("cos", rows, tokens, stack.headDim / 2),
    sin: float("sin", rows, tokens, stack.headDim / 2),
  };
}

/** Tokens [flat], the features of image tokens, and each token's row among these, or −1. */
export function stemInputs(model: Model) {
  return {
    tokenIds: ints("tokenIds", "flat"),
    features: float("features", "featureRows", model.language.width),
    imageIndex: ints("imageIndex", "flat"),
  };
}

/** Temperature and top-p: scalars for all rows, or columns with a value for each. */
export function samplingInputs(model: Model, ...perRow: readonly (string | number)[]) {
  return {
    temperature: float("temperature", ...perRow),
    topP: float("topP", ...perRow),
    banned: float("banned", model.language.vocabularySize),
  };
}

/** x [flat, width] with one level of features added at image tokens. */
export function addFeatures(x: Tensor, features: Tensor, imageIndex: Tensor, level: Tensor): Tensor {
  const zero = constant(int32([], [0]));
  const isImage = lessOrEqual(zero, imageIndex);
  const found = gather(features, where(isImage, add(imageIndex, level), zero));
  return add(x, where(reshape(isImage, [...imageIndex.shape, 1]), found, scalar(0)));
}
