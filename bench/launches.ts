/**
 * What it costs to hand programs over to a device that keeps arrays: processor milliseconds a run, of programs of 1 to 200
 * operators on arrays [64, 64] that stay there; three rounds of forty runs each. Usage: npx tsx bench/launches.ts [DEVICE]
 */
import { add, mul } from "../src/compiler/ops/index.ts";
import { input, type Tensor } from "../src/compiler/tensor.ts";
import type { Device } from "../src/core/device.ts";
import { float32 } from "../src/core/tensor-data.ts";
import { openArrays } from "../src/engine/local/arrays/index.ts";
import { CompiledProgram } from "../src/runtime/session.ts";

const RUNS = 40;
const SIZE = 64;
const device = (process.argv[2] ?? "webgpu") as Device;
const arrays = openArrays(device, 1);
const { memory } = arrays;
if (memory === null) throw new Error(`${device} keeps no arrays`);

const names = ["x", ...Array.from({ length: 12 }, (_, i) => `weight.${i}`)];
const held = Object.fromEntries(
  names.map((name) => [name, arrays.hold(float32([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(0.5)))]),
);

const programs: CompiledProgram[] = [];
for (const operators of [1, 50, 100, 200]) {
  const inputs = Object.fromEntries(names.map((name) => [name, input(name, "float32", [SIZE, SIZE])]));
  const weights = names.slice(1).map((name) => inputs[name]!);
  let y: Tensor = inputs["x"]!;
  for (let i = 0; i < operators; i++) y = (i % 2 === 0 ? add : mul)(y, weights[i % weights.length]!);
  const program = await CompiledProgram.compile({ inputs, outputs: { y } }, { threads: 1, memory, stays: () => true });
  programs.push(program);
  const runs = async (count: number) => {
    for (let i = 0; i < count; i++) arrays.release(Object.values(await program.run(held)));
    await memory.settle();
  };
  await runs(3); // compiles
  const rounds: string[] = [];
  for (let round = 0; round < 3; round++) {
    const before = process.cpuUsage();
    await runs(RUNS);
    const { user, system } = process.cpuUsage(before);
    rounds.push(((user + system) / 1000 / RUNS).toFixed(2));
  }
  console.log(`${operators} operators: ${rounds.join(", ")} ms`);
}
await arrays.close(); // before the programs
for (const program of programs) await program.release();
