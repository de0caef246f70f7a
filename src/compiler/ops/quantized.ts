/**
 * Weights stored as 8- or 4-bit integers with one scale for every block of 32 elements of a row: x ≈ scale · (q −
 * zero), where zero is 128 or 8. Bytes follow the layout of ONNX Runtime's MatMulNBits; 4-bit values are packed two per
 * byte, low nibble first.
 */
import { sizeOf, type TensorData } from "../../core/tensor-data.ts";
import { floatLike } from "../interpret.ts";
import { type Dim, formatShape, type TensorSpec } from "../spec.ts";
import { apply, type Op, type Tensor } from "../tensor.ts";

export const QUANTIZED_BLOCK = 32;
export type QuantizedBits = 4 | 8;

export interface DequantizeAttrs {
  readonly bits: QuantizedBits;
}

/** Elements in `bytes` bytes. */
const numbersIn = (bytes: number, bits: QuantizedBits) => (bytes * 8) / bits;

function checkQuantized(name: string, packed: TensorSpec, scales: TensorSpec, bits: QuantizedBits): number {
  const bytes = packed.shape.at(-1);
  const fits =
    packed.dtype === "uint8" &&
    typeof bytes === "number" &&
    numbersIn(bytes, bits) % QUANTIZED_BLOCK === 0 &&
    formatShape(scales.shape) === formatShape([...packed.shape.slice(0, -1), numbersIn(bytes, bits) / QUANTIZED_BLOCK]);
  if (!fits) {
    throw new Error(
      `${name}: expected rows of bytes and a scale for every ${QUANTIZED_BLOCK} elements, got ${packed.dtype} ${formatShape(packed.shape)} and ${formatShape(scales.shape)}`,
    );
  }
  return numbersIn(bytes as number, bits);
}

export const dequantizeOp: Op<DequantizeAttrs> = {
  name: "dequantize",
  infer: ([packed, scales], { bits }) => {
    const numbers = checkQuantized("dequantize", packed!, scales!, bits);
    return { dtype: scales!.dtype, shape: [...packed!.shape.slice(0, -1), numbers] };
  },
  evaluate: ([packed, scales], { bits }) => {
    const numbers = numbersIn(packed!.shape.at(-1)!, bits);
    const shape = [...packed!.shape.slice(0, -1), numbers];
    const data = floatLike([scales!], sizeOf(shape));
    for (let i = 0; i < data.length; i++) {
      data[i] = scales!.data[Math.floor(i / QUANTIZED_BLOCK)]! * storedValue(packed!.data as Uint8Array, i, bits);
    }
    return { dtype: scales!.dtype, shape, data };
  },
  vjp: null,
  lower: (y, [packed, scales], onnx) => {
    const { bits } = y.attrs;
    const scaleShape = y.inputs[1]!.shape;
    if (bits === 8) {
      const zeros = onnx.node(
        "Cast",
        [onnx.node("Expand", [onnx.constant(zeroPoint()), onnx.node("Shape", [scales!])])],
        {
          to: UINT8,
        },
      );
      return onnx.node("DequantizeLinear", [packed!, scales!, zeros], {
        axis: y.shape.length - 1,
        block_size: QUANTIZED_BLOCK,
      });
    }
    const pairs = onnx.node("Gather", [onnx.constant(nibbles()), onnx.cast(packed!, "int32")], { axis: 0 });
    const blocks = onnx.node("Reshape", [pairs, onnx.reshapeTarget([...scaleShape, QUANTIZED_BLOCK])]);
    const column = onnx.node("Unsqueeze", [scales!, onnx.ints([scaleShape.length])]);
    return onnx.node("Reshape", [onnx.node("Mul", [blocks, column]), onnx.reshapeTarget(y.shape)]);
  },
};

/** TensorProto.DataType.UINT8 */
const UINT8 = 2;

const zeroPoint = (): TensorData => ({ dtype: "float32", shape: [], data: Float32Array.of(128) });

/** [256, 2]: both values of a byte. */
const nibbles = (): TensorData => {
  const data = Float32Array.from({ length: 512 }, (_, i) => storedValue(Uint8Array.of(i >> 1), i & 1, 4));
  return { dtype: "float32", shape: [256, 2], data };
};

function storedValue(bytes: Uint8Array, i: number, bits: QuantizedBits): number {
  if (bits === 8) return bytes[i]! - 128;
  const byte = bytes[i >> 1]!;
  return ((i & 1) === 0 ? byte & 15 : byte >> 4) - 8;
}

/**
 * float32 rows [.., n] from packed bytes [.., n·bits/8] and scales [.., n/32]; no gradient, since such weights are
 * frozen.
 */
export function dequantize(packed: Tensor, scales: Tensor, bits: QuantizedBits): Tensor {
  return apply(dequantizeOp, [packed, scales], { bits });
}

export const quantizedMatmulOp: Op<DequantizeAttrs> = {
  name: "quantizedMatmul",
  infer: ([x, packed, scales], { bits }) => {
    const inner = checkQuantized("quantizedMatmul", packed!, scales!, bits);
    if (x!.shape.length !== 2 || x!.shape[1] !== inner) {
      throw new Error(`quantizedMatmul: expected rows of ${inner} elements, got ${formatShape(x!.shape)}`);
    }
    return { dtype: x!.dtype, shape: [x!.shape[0] as Dim, packed!.shape[0]!] };
  },
  evaluate: ([x, packed, scales], attrs, sizes) => {
    const weight = dequantizeOp.evaluate([packed!, scales!], attrs, sizes);
    const [rows, inner] = x!.shape as [number, number];
    const out = packed!.shape[0]!;
    const data = floatLike([x!], rows * out);
    for (let i = 0; i < rows; i++) {
      for (let o = 0; o < out; o++) {
        let total = 0;
        for (let k = 0; k < inner; k++) total += x!.data[i * inner + k]! * weight.data[o * inner + k]!;
        data[i * out + o] = total;
      }
    }
    return { dtype: x!.dtype, shape: [rows, out], data };
  },
  vjp: null,
  lower: (y, [x, packed, scales], onnx) => {
    const { bits } = y.attrs;
    const [out, blocks] = y.inputs[2]!.shape as [number, number];
    const bytes = (QUANTIZED_BLOCK * bits) / 8;
    const blob = onnx.node("Reshape", [packed!, onnx.ints([out, blocks, bytes])]);
    const flat = onnx.node("Reshape", [scales!, onnx.ints([out * blocks])]);
    const attributes = {
      K: blocks * QUANTIZED_BLOCK,
      N: out,
      bits,
      block_size: QUANTIZED_BLOCK,
      accuracy_level: ACCURACY,
    };
    return onnx.node("MatMulNBits", [x!, blob, flat], attributes, { domain: "com.microsoft" });
  },
};

/**
 * accuracy_level of MatMulNBits: its fast kernels, which also round each block of 32 activations to 8 bits; the float32
 * kernels take 50 times as long.
 */
const ACCURACY = 4;

/**
 * x [n, in] @ the transpose of a quantised weight [out, in]; for sampling, and fast only where the weight is a
 * constant.
 */
export function quantizedMatmul(x: Tensor, packed: Tensor, scales: Tensor, bits: QuantizedBits): Tensor {
  return apply(quantizedMatmulOp, [x, packed, scales], { bits });
}
