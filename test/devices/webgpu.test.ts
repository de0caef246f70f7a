/**
 * A model gives the same results on webgpu as on the CPU; test/slow/webgpu.test.ts covers more models and the
 * operators.
 */
import { expect, test } from "vitest";
import { tryDevice } from "../../src/engine/local/devices.ts";
import { driverEnvironment, runOn } from "./child.ts";
import { expectEqual } from "./equal.ts";
import type { Apart } from "./model.ts";

const { works, reason } = await tryDevice("webgpu", driverEnvironment);

test("scores, gradients and completions on webgpu = cpu", async ({ skip }) => {
  if (!works) skip(`webgpu does not work here: ${reason}`);
  const found = await runOn<Record<string, Apart>>("./model.ts", "webgpu", 110_000, "grouped_tied");
  expect(Object.keys(found)).toEqual(["grouped_tied"]);
  expectEqual(found["grouped_tied"]!);
}, 120_000);
