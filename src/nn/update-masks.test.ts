import { describe, expect, test } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { normal, randomKey } from "../core/random.ts";
import { addGradient, drawBack, type MaskState, randomMask, spiderMask, type UpdateMask } from "./update-masks.ts";

const key = randomKey(1, "weight");

/** Plain gradient descent under a mask, in float64. */
function descend(mask: UpdateMask, start: readonly number[], gradients: readonly (readonly number[])[], rate: number) {
  const parameter = Float64Array.from(start);
  const state: MaskState<Float64Array> = { start: parameter.slice(), total: new Float64Array(start.length) };
  const steps = gradients.map((given) => {
    const gradient = Float64Array.from(given);
    addGradient(state, gradient, 1);
    for (let i = 0; i < parameter.length; i++) parameter[i]! -= rate * gradient[i]!;
    drawBack(mask, state, key, parameter);
    return { shares: mask(state, key), parameter: parameter.slice() };
  });
  return { steps, parameter };
}

const drawn = (name: string, size: number) => Array.from({ length: size }, (_, i) => normal(randomKey(3, name), i));

interface Spider {
  readonly theta0: readonly (readonly number[])[];
  readonly gradients: readonly (readonly (readonly number[])[])[];
  readonly lr: number;
  readonly steps: readonly {
    readonly mask: readonly (readonly number[])[];
    readonly theta: readonly (readonly number[])[];
  }[];
  readonly zero_tensor_mask: readonly (readonly number[])[];
}

itMatchesGolden<Spider>("spider", "shares and weights after three steps", (golden) => {
  const gradients = golden.gradients.map((gradient) => gradient.flat());
  const { steps } = descend(spiderMask, golden.theta0.flat(), gradients, golden.lr);
  for (const [k, { mask, theta }] of golden.steps.entries()) {
    for (const [i, share] of mask.flat().entries()) expect(steps[k]!.shares[i]).toBeCloseTo(share, 9);
    for (const [i, value] of theta.flat().entries()) expect(steps[k]!.parameter[i]).toBeCloseTo(value, 9);
  }
  const zeros = descend(spiderMask, [0, 0, 0, 0], [drawn("any", 4)], 0.1);
  expect([...zeros.steps[0]!.shares]).toEqual(golden.zero_tensor_mask.flat());
});

describe.each([
  ["spider", spiderMask],
  ["random", randomMask],
] as const)("%s", (_, mask) => {
  const start = drawn("start", 1000);
  const gradients = [drawn("first", 1000), drawn("second", 1000), drawn("third", 1000)];
  const run = descend(mask, start, gradients, 0.1);

  test("shares lie in [0, 1], some at either end", () => {
    for (const { shares } of run.steps) {
      expect(Math.min(...shares)).toBe(0);
      expect(Math.max(...shares)).toBe(1);
    }
  });

  test("where the share is 0 the weight is where it began, bit for bit, whatever earlier steps did", () => {
    const { shares } = run.steps.at(-1)!;
    for (const [i, share] of shares.entries())
      if (share === 0) expect(Object.is(run.parameter[i], start[i])).toBe(true);
  });

  test("the loss's scale leaves the shares", () => {
    const scaled = gradients.map((gradient) => gradient.map((value) => 1024 * value));
    for (const [k, { shares }] of descend(mask, start, scaled, 0.1).steps.entries())
      expect([...shares]).toEqual([...run.steps[k]!.shares]);
  });

  test("an optimiser that moves nothing leaves the weight", () => {
    expect([...descend(mask, start, gradients, 0).parameter]).toEqual(start);
  });
});

test("spider moves what the gradient cares for and the weight did not", () => {
  const state = { start: Float64Array.of(1, 0.01, 0.5, 0.02), total: Float64Array.of(0.01, 2, 0.02, 0.01) };
  const shares = spiderMask(state);
  expect(shares[1]).toBe(1);
  expect(shares[0]).toBe(0);
});

test("spider on weights without differences: all of one size, one element alone, and no gradient", () => {
  const ones = { start: new Float64Array(4).fill(1), total: Float64Array.of(0, 1, 2, 9) };
  expect([...spiderMask(ones)].every((share) => share >= 0 && share <= 1)).toBe(true);
  expect(spiderMask(ones)[3]).toBe(1);
  expect([...spiderMask({ start: Float64Array.of(2), total: Float64Array.of(3) })]).toEqual([0]);
  expect([...spiderMask({ start: Float64Array.of(1, -2), total: new Float64Array(2) })]).toEqual([0, 0]);
});

test("random lets half of the elements move, the same ones in every step, others in another weight", () => {
  const state = { start: new Float32Array(4000), total: new Float32Array(4000) };
  const share = randomMask(state, key).reduce((sum, value) => sum + value, 0) / 4000;
  expect(share).toBeGreaterThan(0.46);
  expect(share).toBeLessThan(0.54);
  expect(randomMask(state, key)).toEqual(randomMask(state, key));
  expect(randomMask(state, randomKey(1, "other"))).not.toEqual(randomMask(state, key));
});
