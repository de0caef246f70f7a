import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type AdamWState, adamWStep, clipScale, globalNorm } from "./adamw.ts";
import { createVectorKernels } from "./vector-kernels.ts";

type Weights = Readonly<Record<"matrix" | "vector", readonly number[]>>;

/** Five steps of torch.optim.AdamW after clip_grad_norm_, written by scripts/goldens/training.py. */
const golden = JSON.parse(readFileSync(new URL("../../test/golden/training.json", import.meta.url), "utf8")).adamw as {
  readonly learning_rate: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly max_norm: number;
  readonly weight_decay: Readonly<Record<keyof Weights, number>>;
  readonly initial: Weights;
  readonly steps: readonly {
    readonly gradients: Weights;
    readonly gradient_norm: number;
    readonly parameters: Weights;
  }[];
};
const kernels = createVectorKernels();
const names = ["matrix", "vector"] as const;
const zeros = (size: number): AdamWState => ({ first: new Float32Array(size), second: new Float32Array(size) });

describe("adamWStep", () => {
  test("matches torch's parameters after every step, clipped and not", () => {
    const parameters = names.map((name) => Float32Array.from(golden.initial[name]));
    const states = parameters.map(({ length }) => zeros(length));
    for (const [i, step] of golden.steps.entries()) {
      const gradients = names.map((name) => Float32Array.from(step.gradients[name]));
      const norm = globalNorm(kernels, gradients);
      expect(norm / step.gradient_norm).toBeCloseTo(1, 6);
      const scale = clipScale(norm, golden.max_norm);
      expect(scale < 1).toBe(step.gradient_norm > golden.max_norm);
      for (const [k, name] of names.entries()) {
        const o = {
          learningRate: golden.learning_rate,
          beta1: golden.betas[0],
          beta2: golden.betas[1],
          epsilon: golden.eps,
          weightDecay: golden.weight_decay[name],
        };
        adamWStep(kernels, parameters[k]!, gradients[k]!, states[k]!, o, i + 1, scale);
        for (const [j, expected] of step.parameters[name].entries()) {
          expect(Math.abs(parameters[k]![j]! - expected), `step ${i + 1}, ${name}[${j}]`).toBeLessThan(1e-6);
        }
      }
    }
  });

  const plain = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

  test("the first step has the size of the learning rate, whatever the gradient's scale", () => {
    const parameter = new Float32Array(3);
    adamWStep(kernels, parameter, Float32Array.of(1e-3, -40, 0), zeros(3), plain, 1, 1);
    expect([...parameter]).toEqual([expect.closeTo(-0.1, 5), expect.closeTo(0.1, 5), 0]);
  });

  test("decay is decoupled: it changes a weight without gradient and not the moments", () => {
    const parameter = Float32Array.of(2);
    const state = zeros(1);
    adamWStep(kernels, parameter, Float32Array.of(0), state, { ...plain, weightDecay: 0.5 }, 1, 1);
    expect(parameter[0]).toBeCloseTo(2 * (1 - 0.1 * 0.5), 6);
    expect([state.first[0], state.second[0]]).toEqual([0, 0]);
  });

  test("a learning rate of 0 changes no weight, but updates the moments", () => {
    const parameter = Float32Array.of(2);
    const state = zeros(1);
    adamWStep(kernels, parameter, Float32Array.of(3), state, { ...plain, learningRate: 0, weightDecay: 0.5 }, 1, 1);
    expect(parameter[0]).toBe(2);
    expect(state.first[0]).toBeCloseTo(0.3, 6);
    expect(state.second[0]).toBeCloseTo(0.009, 6);
  });
});

test("globalNorm and clipScale", () => {
  expect(globalNorm(kernels, [Float32Array.of(3, 0), new Float32Array(0), Float32Array.of(4)])).toBe(5);
  expect(globalNorm(kernels, [])).toBe(0);
  expect(clipScale(5, 1)).toBeCloseTo(1 / (5 + 1e-6), 12);
  expect(clipScale(0.5, 1)).toBe(1);
  expect(clipScale(5, 0)).toBe(1);
});
