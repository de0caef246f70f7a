/** The machine's float32 MatMul peak, the baseline for speeds. */
import { matmul } from "../../compiler/ops/index.ts";
import { constant, input } from "../../compiler/tensor.ts";
import type { Device } from "../../core/device.ts";
import { float32 } from "../../core/tensor-data.ts";
import { type Spread, speeds, timeProgram } from "./time-program.ts";

const SIZE = 1024;
/** Enough that other programs leave some run undisturbed: 200 runs take a second if a matmul takes 5 ms. */
const TIMING = { runs: 400, limit: 1000 };

/**
 * GFLOP/s of a [1024, 1024] x [1024, 1024] matmul with a constant second matrix: the best run of a second. Larger and
 * deeper matmuls are within 1 % of it; with both matrices fed it is 9 % slower.
 */
export async function matmulPeak(threads: number, device: Device = "cpu"): Promise<number> {
  return (await matmulSpeed({ threads, device, packed: true, ...TIMING })).best;
}

/** GFLOP/s of this matmul; `packed` makes the second matrix a constant, which ONNX Runtime packs in advance. */
export async function matmulSpeed(o: {
  readonly threads: number;
  readonly device?: Device;
  readonly packed: boolean;
  readonly runs: number;
  readonly limit?: number;
}): Promise<Spread> {
  const { packed, ...timing } = o;
  const values = float32([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(0.5));
  const a = input("a", "float32", [SIZE, SIZE]);
  const b = packed ? null : input("b", "float32", [SIZE, SIZE]);
  const y = matmul(a, b ?? constant(values));
  const times = await timeProgram(
    { inputs: b === null ? { a } : { a, b }, outputs: { y } },
    { a: values, b: values },
    timing,
  );
  return speeds(times, 2 * SIZE ** 3);
}
