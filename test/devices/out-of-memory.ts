/** Asks the device named by its argument for a table of so many rows and columns; prints the refusal as JSON, null without one. */
import { add } from "../../src/compiler/ops/index.ts";
import { input } from "../../src/compiler/tensor.ts";
import type { Device } from "../../src/core/device.ts";
import { float32 } from "../../src/core/tensor-data.ts";
import { DeviceMemory } from "../../src/runtime/device-memory.ts";
import { CompiledProgram } from "../../src/runtime/session.ts";

export interface Refusal {
  readonly name: string;
  readonly message: string;
}

const [device, rows = 0] = [process.argv[2] as Device, Number(process.argv[3])];
const memory = new DeviceMemory(device);
const [column, row] = [input("column", "float32", ["rows", 1]), input("row", "float32", [1, "rows"])];
const outer = await CompiledProgram.compile(
  { inputs: { column, row }, outputs: { table: add(column, row) } },
  { threads: 1, memory, stays: () => true },
);
const vector = (...shape: number[]) => float32(shape, new Float32Array(rows));
let refusal: Refusal | null = null;
try {
  await outer.run({ column: vector(rows, 1), row: vector(1, rows) });
} catch (error) {
  const { name, message } = error as Error;
  refusal = { name, message };
}
console.log(JSON.stringify(refusal));
await memory.close();
await outer.release();
