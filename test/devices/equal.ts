/** Tolerances for a model on two devices: the same as for two ways to compute it on the CPU. */
import { expect } from "vitest";
import type { Apart } from "./model.ts";

export function expectEqual(apart: Apart): void {
  expect(apart.logProbs).toBeLessThan(1e-4);
  expect(apart.entropies).toBeLessThan(1e-4);
  expect(apart.loss).toBeLessThan(1e-4);
  expect(apart.gradients).toBeLessThan(1e-3);
  expect(apart.tokens).toBeGreaterThan(40);
  expect(apart.otherTokens).toBe(0);
  expect(apart.sampledLogProbs).toBeLessThan(1e-4);
}
