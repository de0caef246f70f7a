/** Concrete tensors: a dtype, a shape and a flat row-major typed array. */

export type DType = "float32" | "float64" | "int32" | "uint8" | "bool";
export type FloatArray = Float32Array | Float64Array;
export type TensorArray = FloatArray | Int32Array | Uint8Array;

export interface TensorData {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorArray;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** A zero-filled array of the dtype's kind. */
export function allocate(dtype: DType, size: number): TensorArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(size);
    case "float64":
      return new Float64Array(size);
    case "int32":
      return new Int32Array(size);
    case "uint8":
    case "bool":
      return new Uint8Array(size);
  }
}

/** Wraps an array as a tensor; the length must be the product of the shape. */
export function tensorData(dtype: DType, shape: readonly number[], data: TensorArray): TensorData {
  if (data.length !== sizeOf(shape)) {
    throw new Error(`tensorData: shape [${shape.join(", ")}] holds ${sizeOf(shape)} elements, got ${data.length}`);
  }
  return { dtype, shape, data };
}

export function float32(shape: readonly number[], values: ArrayLike<number>): TensorData {
  return tensorData("float32", shape, values instanceof Float32Array ? values : Float32Array.from(values));
}

export function int32(shape: readonly number[], values: ArrayLike<number>): TensorData {
  return tensorData("int32", shape, values instanceof Int32Array ? values : Int32Array.from(values));
}

/** Row-major strides; a size-1 axis gets stride 0 so that it broadcasts. */
export function broadcastStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = shape[axis] === 1 ? 0 : step;
    step *= shape[axis]!;
  }
  return strides;
}

/** Concatenates arrays. */
export function concatenated(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((total, array) => total + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return all;
}
