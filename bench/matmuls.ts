/**
 * How close the matmuls of training come to the MatMul peak of the machine: every matmul of two matrices in the programs of a
 * GRPO step (blocks forward and backward, head and loss) is timed separately at its size there.
 * usage: npx tsx bench/matmuls.ts CHECKPOINT [prompts 4] [prompt tokens 147] [completions 8] [completion tokens 64]
 */
import { plainVariant } from "../src/algorithms/algorithm.ts";
import { concreteShape } from "../src/compiler/interpret.ts";
import { type MatmulAttrs, matmulOp } from "../src/compiler/ops/matmul.ts";
import { apply, input, type Program, type Sizes, type Tensor, topologicalOrder } from "../src/compiler/tensor.ts";
import { float32, sizeOf } from "../src/core/tensor-data.ts";
import { headChunkRows } from "../src/engine/local/head-chunks.ts";
import { matmulPeak } from "../src/engine/local/matmul-peak.ts";
import { blockPrograms, lossProgram } from "../src/engine/local/programs.ts";
import { timeProgram } from "../src/engine/local/time-program.ts";
import { openModel } from "../src/models/index.ts";

const [checkpoint, ...numbers] = process.argv.slice(2);
if (checkpoint === undefined) throw new Error("usage: bench/matmuls.ts CHECKPOINT [prompts tokens completions tokens]");
const [prompts = 4, promptTokens = 147, completions = 8, completionTokens = 64] = numbers.map(Number);
const model = openModel(checkpoint);
const { language } = model;
const flat = prompts * (promptTokens + completions * (completionTokens - 1));
const sizes: Sizes = { flat, chunk: headChunkRows(model) };
const kind = { packed: true, windowed: false, featured: false, adapters: null };
const block = blockPrograms(model, language, kind, language.blockWeights);
const sampling = { greedy: false, topK: 0, topP: false };
const loss = lossProgram(model, sampling, "clip", plainVariant, language.headWeights);
const chunks = (prompts * completions * completionTokens) / headChunkRows(model);

interface Timed {
  readonly what: string;
  readonly runs: number;
  readonly shapes: readonly (readonly number[])[];
  readonly attrs: MatmulAttrs;
}

const matmuls = [
  ...matmulsOf("forward", block.saving.forward, language.depth),
  ...matmulsOf("backward", block.saving.backward, language.depth),
  ...matmulsOf("head and loss", loss, chunks),
];
const before = await matmulPeak(0);
const totals = new Map<string, { seconds: number; operations: number }>();
for (const { what, runs, shapes, attrs } of matmuls) {
  const milliseconds = await timeMatmul(shapes, attrs);
  const [a, b] = shapes as [readonly number[], readonly number[]];
  const columns = attrs.transposeB ? b[0]! : b[1]!;
  const total = totals.get(what) ?? { seconds: 0, operations: 0 };
  total.seconds += (runs * milliseconds) / 1000;
  total.operations += runs * 2 * sizeOf(a) * columns; // [m, k] x [k, n], in any layout
  totals.set(what, total);
}
const peak = Math.max(before, await matmulPeak(0));
const all = [...totals.values()].reduce((x, y) => ({
  seconds: x.seconds + y.seconds,
  operations: x.operations + y.operations,
}));
for (const [what, { seconds, operations }] of [...totals, ["all", all] as const]) {
  const speed = operations / seconds / 1e9;
  console.log(
    `${what.padEnd(14)}${seconds.toFixed(2)} s  ${speed.toFixed(0)} GFLOP/s  ${((100 * speed) / peak).toFixed(0)} % of ${peak.toFixed(0)}`,
  );
}

/** Matmuls of two matrices, so without those of attention, which have batch axes. */
function matmulsOf(what: string, program: Program, runs: number): Timed[] {
  const isMatrixMatmul = (t: Tensor) => t.op === matmulOp && t.inputs.every(({ shape }) => shape.length === 2);
  return topologicalOrder(Object.values(program.outputs))
    .filter(isMatrixMatmul)
    .map(({ inputs, attrs }) => {
      return { what, runs, shapes: inputs.map(({ shape }) => concreteShape(shape, sizes)), attrs };
    });
}

async function timeMatmul(shapes: Timed["shapes"], attrs: MatmulAttrs): Promise<number> {
  const [a, b] = shapes.map((shape, i) => input(`x${i}`, "float32", shape)) as [Tensor, Tensor];
  const y = apply(matmulOp, [a, b], attrs);
  const feeds = Object.fromEntries(
    shapes.map((shape, i) => [`x${i}`, float32(shape, new Float32Array(sizeOf(shape)).fill(0.5))]),
  );
  const times = await timeProgram({ inputs: { x0: a, x1: b }, outputs: { y } }, feeds, { runs: 15 });
  return [...times].sort((p, q) => p - q)[Math.floor(times.length / 2)]!;
}
