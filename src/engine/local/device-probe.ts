/** Multiplies two small matrices on the device named by its argument, and prints a ProbeResult. */
import { matmul } from "../../compiler/ops/index.ts";
import { input } from "../../compiler/tensor.ts";
import type { Device } from "../../core/device.ts";
import { messageOf } from "../../core/errors.ts";
import { float32 } from "../../core/tensor-data.ts";
import { CompiledProgram } from "../../runtime/session.ts";
import type { DeviceProblem } from "./devices.ts";

const SIZE = 16;

console.log(JSON.stringify(await tryProduct(process.argv[2] as Device)));

async function tryProduct(device: Device): Promise<DeviceProblem> {
  const shape = [SIZE, SIZE];
  const [a, b] = [input("a", "float32", shape), input("b", "float32", shape)];
  const values = Array.from({ length: SIZE * SIZE }, (_, i) => (i % 7) - 3);
  try {
    const session = await CompiledProgram.compile(
      { inputs: { a, b }, outputs: { y: matmul(a, b) } },
      { device, threads: 1 },
    );
    const { y } = await session.run({ a: float32(shape, values), b: float32(shape, values) });
    await session.release();
    // Small integers: any working device computes them exactly, but for the tests' moves of 1e-7 (runtime/rounding.ts).
    const expected = Array.from({ length: SIZE * SIZE }, (_, i) => {
      const [row, column] = [Math.floor(i / SIZE), i % SIZE];
      return values.slice(row * SIZE, (row + 1) * SIZE).reduce((sum, x, k) => sum + x * values[k * SIZE + column]!, 0);
    });
    return expected.every((value, i) => Math.abs(y!.data[i]! - value) <= 1e-6 * Math.abs(value))
      ? null
      : "its matmul is wrong";
  } catch (error) {
    return summary(messageOf(error));
  }
}

/** ONNX Runtime's messages begin with source files and failed conditions; the useful part comes last. */
function summary(message: string): string {
  const text = message.replace(/\s+/g, " ").trim();
  return (/was false\. (.+)$/.exec(text)?.[1] ?? text).replace(/\.$/, "");
}
