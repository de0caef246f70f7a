/** The machine's own float32 MatMul peak: what speeds are measured against. */
import { matmul } from "../../compiler/ops/index.ts";
import { input } from "../../compiler/tensor.ts";
import type { Device } from "../../core/device.ts";
import { float32 } from "../../core/tensor-data.ts";
import { Session } from "../../runtime/session.ts";

const SIZE = 1024;
const RUNS = 9;

/** GFLOP/s of a [1024, 1024] x [1024, 1024] product in ONNX Runtime: the best of nine runs after one warm-up. */
export async function matmulPeak(threads: number, device: Device = "cpu"): Promise<number> {
  const [a, b] = [input("a", "float32", [SIZE, SIZE]), input("b", "float32", [SIZE, SIZE])];
  const session = await Session.compile({ inputs: { a, b }, outputs: { y: matmul(a, b) } }, { threads, device });
  const values = new Float32Array(SIZE * SIZE).fill(0.5);
  const feeds = { a: float32([SIZE, SIZE], values), b: float32([SIZE, SIZE], values) };
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run <= RUNS; run++) {
    const start = performance.now();
    await session.run(feeds);
    if (run > 0) best = Math.min(best, performance.now() - start);
  }
  await session.release();
  return (2 * SIZE ** 3) / best / 1e6;
}
