/**
 * Benchmarks this machine's CPU in ONNX Runtime: matmul throughput, memory bandwidth, and how idle threads should wait.
 */
import { add, matmul, mul, softmax, sum } from "../../compiler/ops/index.ts";
import { apply, input, type Op, type Program } from "../../compiler/tensor.ts";
import type { Device } from "../../core/device.ts";
import { float32 } from "../../core/tensor-data.ts";
import { matmulSpeed } from "./matmul-peak.ts";
import { type Spread, speeds, type TimingOptions, timeProgram } from "./time-program.ts";

/** Median milliseconds of the threads program, for each way of waiting. */
export interface ThreadTimes {
  readonly one: number;
  readonly short: number;
  readonly spinning: number;
}

export interface MachineSpeed {
  /** GFLOP/s of float32 matmuls of 1024 x 1024 matrices: with both operands fed, and with one as a constant. */
  readonly matmul: Spread;
  readonly matmulPacked: Spread;
  /** 10⁹ operations per second of the same matmul with int8 weights in blocks of 32 and int8 arithmetic. */
  readonly matmulInt8: Spread;
  /** GB/s of memory reads: row sums of 256 MiB of float32, larger than caches. */
  readonly memory: Spread;
  readonly threads: ThreadTimes;
}

/** Maximum runs and milliseconds of one measurement. */
const TIMING = { runs: 200, limit: 1000, threads: 0 } satisfies TimingOptions;

/** Takes about five seconds; other running programs lower every figure. */
export async function measureSpeed(): Promise<MachineSpeed> {
  return {
    matmul: await matmulSpeed({ ...TIMING, packed: false }),
    matmulPacked: await matmulSpeed({ ...TIMING, packed: true }),
    matmulInt8: await int8Speed(),
    memory: await memorySpeed(TIMING.threads),
    threads: await threadTimes(),
  };
}

/**
 * Memory read bandwidth in GB/s, from up to 200 runs within a second. A sum reads each element once and computes next
 * to nothing; rows are spread over the threads. Uses 268 MB meanwhile.
 */
export async function memorySpeed(threads: number, device: Device = "cpu"): Promise<Spread> {
  const [rows, columns] = [256, 1 << 18];
  const x = input("x", "float32", [rows, columns]);
  const values = float32([rows, columns], new Float32Array(rows * columns).fill(1));
  const program = { inputs: { x }, outputs: { y: sum(x, [1]) } };
  const times = await timeProgram(program, { x: values }, { ...TIMING, threads, device });
  return speeds(times, 4 * rows * columns);
}

const INT8_SIZE = 1024;
const BLOCK = 32;

/** x @ a matrix of int8 ones: a weight in the layout of quantised layers, with int8 arithmetic. */
const int8MatmulOp: Op<null> = {
  name: "int8Product",
  infer: ([x]) => x!,
  evaluate: ([x]) => {
    const values = x!.data as Float32Array;
    const data = new Float32Array(values.length);
    for (let i = 0; i < data.length; i += INT8_SIZE) {
      const total = values.subarray(i, i + INT8_SIZE).reduce((sum, value) => sum + value, 0);
      data.fill(total, i, i + INT8_SIZE);
    }
    return { dtype: "float32", shape: x!.shape, data };
  },
  vjp: null,
  lower: (_, [x], onnx) => {
    const blocks = INT8_SIZE / BLOCK;
    // 129 is 1 above the zero point 128; the cast to uint8 (type 2) is constant-folded when the session opens.
    const ones = new Int32Array(INT8_SIZE * INT8_SIZE).fill(129);
    const bytes = onnx.constant({ dtype: "int32", shape: [INT8_SIZE, blocks, BLOCK], data: ones });
    const scales = onnx.constant(float32([INT8_SIZE, blocks], new Float32Array(INT8_SIZE * blocks).fill(1)));
    const attributes = { K: INT8_SIZE, N: INT8_SIZE, bits: 8, block_size: BLOCK, accuracy_level: 4 };
    const weight = onnx.node("Cast", [bytes], { to: 2 });
    return onnx.node("MatMulNBits", [x!, weight, scales], attributes, { domain: "com.microsoft" });
  },
};

/** A matrix of ones @ a matrix of ones in int8. */
export function int8Program(): Program {
  const x = input("x", "float32", [INT8_SIZE, INT8_SIZE]);
  return { inputs: { x }, outputs: { y: apply(int8MatmulOp, [x], null) } };
}

async function int8Speed(): Promise<Spread> {
  const x = float32([INT8_SIZE, INT8_SIZE], new Float32Array(INT8_SIZE ** 2).fill(1));
  return speeds(await timeProgram(int8Program(), { x }, TIMING), 2 * INT8_SIZE ** 3);
}

const ROUNDS = 4;

/**
 * A chain of small matmuls and softmaxes, as in a small model, where waiting between operators dominates. The ways of
 * waiting are measured alternately.
 */
async function threadTimes(): Promise<ThreadTimes> {
  const shape = [256, 256];
  const [x, w] = [input("x", "float32", shape), input("w", "float32", shape)];
  let y = x;
  for (let i = 0; i < 8; i++) y = add(softmax(mul(matmul(y, w), x)), x);
  const values = float32(shape, new Float32Array(256 * 256).fill(0.01));
  const times = { one: [] as number[], short: [] as number[], spinning: [] as number[] };
  const ways = [
    ["one", { threads: 1 }],
    ["short", { threads: 0 }],
    ["spinning", { threads: 0, spinning: true }],
  ] as const;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [way, o] of ways) {
      const program = { inputs: { x, w }, outputs: { y } };
      times[way].push(...(await timeProgram(program, { x: values, w: values }, { runs: 25, limit: 250, ...o })));
    }
  }
  const median = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
  return { one: median(times.one), short: median(times.short), spinning: median(times.spinning) };
}
