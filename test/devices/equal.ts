/** When a model counts as equal on two devices: what the invariants ask of two ways to compute the same on the CPU. */
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
