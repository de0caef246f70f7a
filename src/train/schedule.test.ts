import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Schedule, scheduleAt, schedules } from "./schedule.ts";
import { optimiserAt } from "./settings.ts";

/** Multipliers of transformers' get_scheduler. */
const golden = JSON.parse(readFileSync(new URL("../../test/golden/training.json", import.meta.url), "utf8"))
  .schedules as {
  readonly steps: number;
  readonly warmup_steps: number;
  readonly multipliers: Readonly<Record<Schedule, readonly number[]>>;
};

test.each(schedules)("%s is transformers'", (schedule) => {
  const expected = golden.multipliers[schedule];
  expect(expected.length).toBe(golden.steps);
  for (const [step, multiplier] of expected.entries()) {
    expect(scheduleAt(schedule, step, golden.steps, golden.warmup_steps), `step ${step}`).toBeCloseTo(multiplier, 6);
  }
});

test("without a warm-up the first step has the whole rate; after the last step nothing is negative", () => {
  for (const schedule of schedules) {
    expect(scheduleAt(schedule, 0, 10, 0)).toBe(1);
    expect(scheduleAt(schedule, 12, 10, 0)).toBeGreaterThanOrEqual(0);
    expect(scheduleAt(schedule, 0, 1, 0)).toBe(1);
  }
  expect(scheduleAt("linear", 10, 10, 0)).toBe(0);
  expect(scheduleAt("cosine", 10, 10, 0)).toBeCloseTo(0, 12);
});

test("a warm-up longer than the stage only rises", () => {
  for (const schedule of schedules.filter((name) => name !== "constant")) {
    expect([0, 1, 2].map((step) => scheduleAt(schedule, step, 3, 10))).toEqual([0, 0.1, 0.2]);
  }
});

test("optimiserAt multiplies the recipe's rate and passes the rest on", () => {
  const settings = {
    learning_rate: 0.02,
    lr_scheduler_type: "linear" as const,
    warmup_steps: 2,
    weight_decay: 0.1,
    adam_beta1: 0.8,
    adam_beta2: 0.99,
    adam_epsilon: 1e-6,
    importance_masking: "none" as const,
    max_grad_norm: 0.5,
  };
  const rest = { beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1, maxGradNorm: 0.5 };
  expect(optimiserAt(settings, 1, 6)).toEqual({ learningRate: 0.01, ...rest });
  expect(optimiserAt(settings, 2, 6)).toEqual({ learningRate: 0.02, ...rest });
  expect(optimiserAt(settings, 5, 6).learningRate).toBeCloseTo(0.005, 12);
});
