/** A model computes on webgpu what it computes on the CPU. test/slow/webgpu-operators.test.ts has the single operators. */
import { expect, test } from "vitest";
import { tryDevice } from "../../src/engine/local/devices.ts";
import { driverEnvironment, runOn } from "./child.ts";
import type { Apart } from "./model.ts";

const { works, reason } = await tryDevice("webgpu", driverEnvironment);

test("scores, gradients and completions on webgpu = cpu", async ({ skip }) => {
  if (!works) skip(`webgpu does not work here: ${reason}`);
  const cases = await runOn<Record<string, Apart>>("./model.ts", "webgpu", 110_000);
  expect(Object.keys(cases)).toHaveLength(2);
  for (const apart of Object.values(cases)) {
    expect(apart.logProbs).toBeLessThan(1e-4);
    expect(apart.entropies).toBeLessThan(1e-4);
    expect(apart.loss).toBeLessThan(1e-4);
    expect(apart.gradients).toBeLessThan(1e-3);
    expect(apart.tokens).toBeGreaterThan(40);
    expect(apart.otherTokens).toBe(0);
    expect(apart.sampledLogProbs).toBeLessThan(1e-4);
  }
}, 120_000);
