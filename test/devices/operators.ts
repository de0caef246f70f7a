/**
 * Runs the conformance cases on the device named by its argument and prints, as JSON, those that fail there and why.
 * Empty tensors are skipped: webgpu refuses some and crashes on others, and the engine feeds none.
 */
import { interpret } from "../../src/compiler/interpret.ts";
import { ops } from "../../src/compiler/ops/index.ts";
import type { Params, Program } from "../../src/compiler/tensor.ts";
import type { Device } from "../../src/core/device.ts";
import { messageOf } from "../../src/core/errors.ts";
import type { TensorData } from "../../src/core/tensor-data.ts";
import { CompiledProgram } from "../../src/runtime/session.ts";
import type { Case } from "../conformance/ops/case.ts";
import { cases } from "../conformance/ops/cases.ts";
import { backwardOf, FLOAT32, feed, forwardOf, isClose, isFloat } from "../conformance/ops/programs.ts";

const device = process.argv[2] as Device;

/** Error messages, by "op > case > forward or backward". */
const failures: Record<string, string> = {};
let programs = 0;
for (const name of Object.keys(ops) as (keyof typeof ops)[]) {
  for (const c of cases[name] as readonly Case[]) {
    if (c.untried !== undefined) continue;
    const feeds = (c.sizes ?? [{}]).map((sizes) => feed(c, sizes)).filter((fed) => !Object.values(fed).some(isEmpty));
    if (feeds.length === 0) continue;
    // Cases that ONNX Runtime's CPU operators refuse say nothing about a device.
    if (c.refused === undefined) await attempt(`${name} > ${c.name} > forward`, forwardOf(c), feeds);
    if (c.gradientRefused !== undefined || ops[name].vjp === null || !c.inputs.some(isFloat)) continue;
    await attempt(`${name} > ${c.name} > backward`, backwardOf(c), feeds);
  }
}
console.log(JSON.stringify({ programs, failures }));

function isEmpty({ data }: TensorData): boolean {
  return data.length === 0;
}

async function attempt(name: string, program: Program, runs: readonly Params<TensorData>[]): Promise<void> {
  programs++;
  try {
    const session = await CompiledProgram.compile(program, { threads: 1, device });
    try {
      for (const feeds of runs) compare(interpret(program, feeds), await session.run(feeds));
    } finally {
      await session.release();
    }
  } catch (error) {
    failures[name] = messageOf(error);
  }
}

function compare(expected: Params<TensorData>, found: Params<TensorData>): void {
  for (const [output, { dtype, shape, data }] of Object.entries(expected)) {
    const result = found[output]!;
    if (result.dtype !== dtype || result.shape.join() !== shape.join()) {
      throw new Error(`${output} is ${result.dtype} [${result.shape}], not ${dtype} [${shape}]`);
    }
    const tolerance = dtype === "float32" ? FLOAT32 : { relative: 0, absolute: 0 };
    const wrong = data.findIndex((value, i) => !isClose(result.data[i]!, value, tolerance));
    if (wrong >= 0) throw new Error(`${output}[${wrong}] is ${result.data[wrong]}, not ${data[wrong]}`);
  }
}
