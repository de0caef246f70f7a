/** Arrays in this process's memory: loops in WebAssembly and JavaScript, in place. */
import { float32, sizeOf, type TensorData } from "../../../core/tensor-data.ts";
import { adamWStep, globalNorm } from "../../../nn/adamw.ts";
import { createVectorKernels } from "../../../nn/vector-kernels.ts";
import type { Arrays } from "./arrays.ts";

export function hostArrays(): Arrays {
  const kernels = createVectorKernels();
  const numbers = ({ data }: TensorData) => data as Float32Array;
  return {
    memory: null,
    caches: null,
    hold: (value) => value,
    release() {},
    fetch: async () => {},
    forget() {},
    write(target, data) {
      if (target.data !== data) numbers(target).set(data);
    },
    copy: (value) => ({ ...value, data: value.data.slice() }),
    zerosLike: ({ shape }) => float32(shape, new Float32Array(sizeOf(shape))),
    add(totals, added) {
      for (const [i, total] of totals.entries()) kernels.addInPlace(numbers(total), numbers(added[i]!));
    },
    mix(totals, others, keep) {
      for (const [at, total] of totals.entries()) {
        const [into, from] = [numbers(total), numbers(others[at]!)];
        for (let i = 0; i < into.length; i++) into[i] = keep * into[i]! + (1 - keep) * from[i]!;
      }
    },
    rows(x, index) {
      const width = x.shape[1]!;
      const found = new Float32Array(index.length * width);
      for (const [i, row] of index.entries()) {
        found.set(numbers(x).subarray(row * width, (row + 1) * width), i * width);
      }
      return float32([index.length, width], found);
    },
    addRows(total, index, rows) {
      addAt(numbers(total), index, numbers(rows), sizeOf(total.shape.slice(1)));
    },
    norm: async (values) => globalNorm(kernels, values.map(numbers)),
    adamW(weights, { step, gradientScale, ...o }) {
      for (const { weight, gradient, first, second, weightDecay } of weights) {
        const state = { first: numbers(first), second: numbers(second) };
        adamWStep(kernels, numbers(weight), numbers(gradient), state, { ...o, weightDecay }, step, gradientScale);
      }
    },
    close: async () => {},
  };
}

/** Scatter-adds the rows of `added` to `total`; rows with index −1 are skipped. */
export function addAt(total: Float32Array, rows: Int32Array, added: Float32Array, width: number): void {
  for (const [i, row] of rows.entries()) {
    if (row < 0) continue;
    for (let k = 0; k < width; k++) total[row * width + k]! += added[i * width + k]!;
  }
}
