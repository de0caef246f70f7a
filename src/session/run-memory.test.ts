import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { EngineOptions, LargestStep } from "../engine/backend.ts";
import { planMemory } from "../engine/local/memory-plan.ts";
import type { Recipe } from "../recipes/schema.ts";
import type { PreflightReport } from "./preflight.ts";
import { fitsAll, planRun, requireMemory } from "./run-memory.ts";

/** viva-tiny twice as wide: wide enough that results of its layers are worth keeping. A plan needs no weights. */
const modelFolder = mkdtempSync(join(tmpdir(), "viva-plan-"));
cpSync(fileURLToPath(new URL("../../assets/viva-tiny", import.meta.url)), modelFolder, { recursive: true });
const config = JSON.parse(readFileSync(join(modelFolder, "config.json"), "utf8"));
Object.assign(config, { hidden_size: 384, num_attention_heads: 6, num_key_value_heads: 2 });
config.vision_config.hidden_size = 384;
writeFileSync(join(modelFolder, "config.json"), JSON.stringify(config));

const options: EngineOptions = {
  ...{ modelFolder, initialise: "random", seed: 1, freeze: [], threads: 1, microBatchTokens: 2048, rows: 64 },
};
const step = {
  ...{ prompts: 4, promptTokens: 60, imageTokens: 16, numGenerations: 8, completionTokens: 32, reference: false },
};
const lora = { r: 8, lora_alpha: 16, target_modules: "all-linear" };

test("every option moves the part that it is about, in the right direction", () => {
  const plan = (o: Partial<EngineOptions> = {}, change: Partial<LargestStep> = {}) =>
    planMemory({ ...options, ...o }, { ...step, ...change });
  const whole = plan();
  expect(whole.total).toBe(Object.values(whole.parts).reduce((a, b) => a + b));
  expect(whole.parts.moments).toBe(2 * whole.parts.gradients);
  expect(plan({}, { reference: true }).parts.reference).toBe(whole.parts.gradients);
  expect(plan({ lora }).parts.gradients).toBeLessThan(whole.parts.gradients / 5);
  expect(plan({ lora, quantizeFrozen: 8 }).parts.weights).toBeLessThan(plan({ lora }).parts.weights);
  expect(plan({ activationBytes: 0 }).parts.activations).toBeLessThan(whole.parts.activations / 3);
  expect(plan({ microBatchTokens: 400 }).parts.programs).toBeLessThan(whole.parts.programs);
  const looking = plan({}, { observed: { images: 1, imageTokens: 16 } });
  for (const part of ["activations", "programs", "kept turns"] as const) {
    expect(looking.parts[part], part).toBeGreaterThan(whole.parts[part]);
  }
  expect(plan({ prefixBytes: 1000 }, { observed: { images: 1, imageTokens: 16 } }).parts["kept turns"]).toBe(1000);
  expect(plan({ rows: 8 }).parts["key-value cache"]).toBeLessThan(whole.parts["key-value cache"] / 2);
});

test("a run that does not fit is refused with what would help, before anything is allocated", () => {
  const recipe = {
    model: { lora: null, quantize_frozen: null },
    engine: { activation_memory_gb: 2, micro_batch_tokens: 2048, rows: 64 },
    stages: [
      { kind: "sft", batch_size: 1 },
      { kind: "grpo", prompts_per_step: 8, num_generations: 8, max_completion_length: 64, beta: 0, shaping: "none" },
    ],
  } as unknown as Recipe;
  const data = {
    ...{ prompt_tokens_max: 80, image_tokens_max: 16, longest: { example_id: "a", tokens: 144 } },
  } as PreflightReport;
  const { total } = planRun(recipe, planMemory, options, data, 1e12).plan;
  const fitting = planRun(recipe, planMemory, options, data, total);
  expect(fitting).toMatchObject({ fits: true, changes: [], together: null, stage: "stages.1 (grpo)" });
  expect(() => requireMemory(fitting)).not.toThrow();
  const { fits, plan, changes, together } = planRun(recipe, planMemory, options, data, 0.9 * total);
  expect([fits, plan.total]).toEqual([false, total]);
  const totals = changes.map((change) => change.total);
  expect(totals).toEqual([...totals].sort((a, b) => a - b));
  expect(together).toBeLessThan(totals[0]!);
  const refused = () => requireMemory(planRun(recipe, planMemory, options, data, 0.9 * total));
  expect(refused).toThrow(UserError);
  expect(refused).toThrow(
    /would take about \d.*GB of memory \(.*weights .*\), and .* are there; alone would bring it down: .*engine\.micro_batch_tokens: 1024 \(.*; together: \d/,
  );
});

test("arrays on a device are planned there, and refused there if it tells its memory", () => {
  const recipe = {
    model: { lora: null, quantize_frozen: null },
    engine: { activation_memory_gb: 2, micro_batch_tokens: 2048, rows: 64 },
    stages: [
      { kind: "grpo", prompts_per_step: 8, num_generations: 8, max_completion_length: 64, beta: 0.1, shaping: "none" },
    ],
  } as unknown as Recipe;
  const data = {
    ...{ prompt_tokens_max: 80, image_tokens_max: 16, longest: { example_id: "a", tokens: 144 } },
  } as PreflightReport;
  const planOn = (device: Device, bytes: number | null) =>
    planRun(recipe, planMemory, { ...options, device }, data, 1e12, bytes);
  const cpu = planOn("cpu", null);
  expect([cpu.device, planOn("cuda", null).device]).toEqual([null, null]);
  const { plan, device } = planOn("webgpu", null);
  expect([device!.fits, device!.available]).toEqual([true, Infinity]);
  for (const part of ["weights", "gradients", "moments", "activations"]) {
    expect(device!.plan.parts[part], part).toBe(cpu.plan.parts[part]);
  }
  expect(device!.plan.parts["node"]).toBe(0);
  expect([plan.parts["activations"], plan.parts["key-value cache"]]).toEqual([0, 0]);
  expect(plan.parts["moments"]).toBe(cpu.plan.parts["moments"]); // while a checkpoint is saved
  const { total } = device!.plan;
  expect(fitsAll(planOn("webgpu", total))).toBe(true);
  expect(fitsAll(planOn("webgpu", 0.9 * total))).toBe(false);
  expect(() => requireMemory(planOn("webgpu", 0.9 * total))).toThrow(
    /^this run would take about \d.* GB of the device's memory \(.*\), and .* are there; alone would bring it down: .*engine/,
  );
});

test("a stage with tools takes room for what they show, also where it learns from demonstrations", () => {
  const environment = { name: "viewer_tools", max_turns: 3, turn_length: 64, describe: true, workflow: null };
  const data = {
    ...{ prompt_tokens_max: 80, image_tokens_max: 16, longest: { example_id: "a", tokens: 144 } },
  } as PreflightReport;
  const stepOf = (stage: object) => {
    const recipe = { model: {}, engine: {}, stages: [{ importance_masking: "none", ...stage }] } as unknown as Recipe;
    return planRun(recipe, planMemory, options, data, 1e12).step;
  };
  const sft = { kind: "sft", batch_size: 2 };
  expect(stepOf(sft)).toMatchObject({ observed: null, completionTokens: 64 });
  const observed = { images: 2, imageTokens: 32 };
  expect(stepOf({ ...sft, environment })).toMatchObject({ observed, completionTokens: 64 + 32 });
  const grpo = {
    kind: "grpo",
    prompts_per_step: 2,
    num_generations: 2,
    max_completion_length: 200,
    beta: 0,
    shaping: "none",
  };
  expect(stepOf({ ...grpo, environment })).toMatchObject({ observed, completionTokens: 200 });
  expect(stepOf({ ...grpo, max_completion_length: 20, environment }).observed).toEqual({ images: 2, imageTokens: 20 });
});

test("a stage of pairs holds both completions and a prompt for every further role, and what they are chosen from", () => {
  const data = {
    ...{ prompt_tokens_max: 80, image_tokens_max: 16, longest: { example_id: "a", tokens: 144 } },
  } as PreflightReport;
  const planOf = (kind: string, rollouts: object | null, o: Partial<EngineOptions> = {}) => {
    const pairs = rollouts === null ? "pairs.jsonl" : null;
    const stages = [{ kind, batch_size: 2, pairs, rollouts, importance_masking: "none" }];
    return planRun({ stages } as unknown as Recipe, planMemory, { ...options, ...o }, data, 1e12);
  };
  const given = planOf("reward_model", null, { scoreHead: true });
  expect(given.step).toMatchObject({ prompts: 2, numGenerations: 2, completionTokens: 64, reference: false });
  expect(planOf("rc_reward_model", null).step.prompts).toBe(6);
  // The head is one row of the model's width, with a gradient and two moments; no reference is kept.
  const { parts } = planOf("reward_model", null).plan;
  expect(given.plan.parts["weights"]! - parts["weights"]!).toBe(4 * 384);
  expect(given.plan.parts["moments"]! - parts["moments"]!).toBe(8 * 384);
  expect([given.plan.parts["reference"], planOf("dpo", null).plan.parts["reference"]! > 0]).toEqual([0, true]);

  const sampled = planOf("reward_model", { num_generations: 8, max_completion_length: 64 });
  expect(sampled.step).toMatchObject({ prompts: 2, numGenerations: 8 });
  expect(sampled.plan.parts["key-value cache"]).toBeGreaterThan(2 * parts["key-value cache"]!);
});
