/** webgpu = interpreter for every operator, over the conformance cases without empty tensors; and = cpu for more models. */
import { expect, test } from "vitest";
import { tryDevice } from "../../src/engine/local/devices.ts";
import type { ByTurns } from "../devices/adapters.ts";
import { driverEnvironment, outputOf, runOn } from "../devices/child.ts";
import { expectEqual } from "../devices/equal.ts";
import type { Kinds } from "../devices/kinds.ts";
import type { Apart } from "../devices/model.ts";
import type { Refusal } from "../devices/out-of-memory.ts";
import { expectTrained } from "../devices/trained.ts";
import type { Trained } from "../devices/training.ts";
import type { TwoEngines } from "../devices/two-engines.ts";

const { works, reason } = await tryDevice("webgpu", driverEnvironment);
const why = `webgpu does not work here: ${reason}`;

test("every operator on webgpu = interpreter", async ({ skip }) => {
  if (!works) skip(why);
  const { programs, failures } = await runOn<{ programs: number; failures: Record<string, string> }>(
    "./operators.ts",
    "webgpu",
    590_000,
  );
  expect(programs).toBeGreaterThan(600);
  // WebGPU's shading language leaves the logarithm of a negative number open; no graph of ours takes one.
  const { "log > zero and negative > forward": open, ...rest } = failures;
  expect(rest).toEqual({});
  expect(open ?? "not NaN").toContain("not NaN");
}, 600_000);

for (const kind of ["full", "lora"]) {
  test(`ten steps, and checkpoints of each device on the other: ${kind}`, async ({ skip }) => {
    if (!works) skip(why);
    expectTrained(await runOn<Trained>("./training.ts", "webgpu", 590_000, "grouped_tied", kind, "10"));
  }, 600_000);
}

for (const kind of ["int8", "int4"]) {
  test(`four steps of adapters on an ${kind} base, none of which crosses again`, async ({ skip }) => {
    if (!works) skip(why);
    expectTrained(await runOn<Trained>("./training.ts", "webgpu", 590_000, "grouped_tied", kind, "4"));
  }, 600_000);
}

test("nothing grows over fifty steps", async ({ skip }) => {
  if (!works) skip(why);
  expectTrained(await runOn<Trained>("./training.ts", "webgpu", 890_000, "grouped_tied", "lora", "50"));
}, 900_000);

test("whole arrays on webgpu = on the host", async ({ skip }) => {
  if (!works) skip(why);
  const apart = await runOn<Readonly<Record<string, number>>>("./arrays.ts", "webgpu", 100_000);
  expect(Object.keys(apart)).toContain("mix");
  for (const [name, difference] of Object.entries(apart)) expect(difference, name).toBeLessThan(1e-6);
}, 120_000);

test("a device without room says so in one sentence", async ({ skip }) => {
  if (!works) skip(why);
  const refusal = await runOn<Refusal | null>("./out-of-memory.ts", "webgpu", 100_000, "40000");
  if (refusal === null) skip("this device has room for 6.4 GB");
  const { name, message } = refusal!;
  expect(name).toBe("UserError");
  expect(message).toMatch(/^the device webgpu has no memory for .* "column" \[40000,1\], .*; lower engine\.[^\n]*$/);
}, 120_000);

test("a model's programs run there but for sizes and indices of positions", async ({ skip }) => {
  if (!works) skip(why);
  const programs = (await outputOf("./placement.ts", "webgpu", 290_000)).stderr.split("PROGRAM ").slice(1);
  expect(programs).toHaveLength(20);
  const ofSizes = ["ReduceProd", "Range", "Reshape", "Concat", "Cast"];
  for (const [name, log] of programs.map((text) => [text.split("\n", 1)[0]!, text] as const)) {
    expect(log, name).toContain("WebGpuExecutionProvider");
    const [, host = ""] = /\[CPUExecutionProvider\]\. Number of nodes: \d+\n([\s\S]*?)placed on/.exec(log) ?? [];
    const onHost = new Set([...host.matchAll(/\] {3}(\w+) \(/g)].map(([, operator]) => operator!));
    expect(
      [...onHost].filter((operator) => !ofSizes.includes(operator)),
      name,
    ).toEqual([]);
    // What the host reads of the device's: the type of the tokens that ArgMax found.
    const read = [...log.matchAll(/Add MemcpyToHost before (\w+?)_\d+/g)].map(([, value]) => value!);
    expect(
      read.filter((value) => value !== "ArgMax"),
      name,
    ).toEqual([]);
  }
}, 300_000);

test("soft Q-learning and DPO, five steps of each = cpu", async ({ skip }) => {
  if (!works) skip(why);
  const kinds = await runOn<Kinds>("./kinds.ts", "webgpu", 590_000);
  expect(Object.keys(kinds)).toEqual(["soft_q", "dpo"]);
  for (const { cpu, device } of Object.values(kinds)) {
    expect(device).toHaveLength(5);
    for (const [i, { loss, grad_norm }] of cpu.entries()) {
      expect(device[i]!.loss).toBeCloseTo(loss, 4);
      // Soft Q-learning's first gradients are rounding alone.
      expect(Math.abs(device[i]!.grad_norm - grad_norm)).toBeLessThan(1e-3 * grad_norm + 1e-7);
    }
  }
}, 600_000);

test("a second engine of a process is refused in one sentence, and one after the first computes the same", async ({
  skip,
}) => {
  if (!works) skip(why);
  const { refusal, apart } = await runOn<TwoEngines>("./two-engines.ts", "webgpu", 290_000);
  expect(refusal?.name).toBe("UserError");
  expect(refusal?.message).toMatch(/^the device webgpu computes for another model of this process, [^\n]*cpu$/);
  expect(apart).toBe(0);
}, 300_000);

test("other models on webgpu = cpu", async ({ skip }) => {
  if (!works) skip(why);
  const names = ["ungrouped_untied", "two_images"];
  const found = await runOn<Record<string, Apart>>("./model.ts", "webgpu", 290_000, ...names);
  expect(Object.keys(found)).toEqual(names);
  for (const apart of Object.values(found)) expectEqual(apart);
}, 300_000);

test("adapters that merge by turns draw what each draws alone, and what on cpu", async ({ skip }) => {
  if (!works) skip(why);
  const [here, there] = [
    await runOn<ByTurns>("./adapters.ts", "cpu", 290_000),
    await runOn<ByTurns>("./adapters.ts", "webgpu", 590_000),
  ];
  expect(there.together).toEqual(there.alone);
  expect(there.alone).toEqual(here.alone);
  expect(there.arrays[1]).toBe(there.arrays[0]);
}, 900_000);
