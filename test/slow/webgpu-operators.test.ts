/** Every operator on webgpu = interpreter, forward and backward, over the conformance cases that hold no empty tensor. */
import { expect, test } from "vitest";
import { tryDevice } from "../../src/engine/local/devices.ts";
import { driverEnvironment, runOn } from "../devices/child.ts";

const { works, reason } = await tryDevice("webgpu", driverEnvironment);

test("every operator on webgpu = interpreter", async ({ skip }) => {
  if (!works) skip(`webgpu does not work here: ${reason}`);
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
