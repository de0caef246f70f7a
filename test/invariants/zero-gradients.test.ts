/** Completions without a gradient are not computed: gradients, updates and metrics are those of computing everything. */
import { describe, expect, test } from "vitest";
import type { Completion, Example, Prompt, RolloutGroup } from "../../src/core/records.ts";
import type { OptimStep, TrainingEngine } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import type { SampledGroup } from "../../src/engine/local/sampler.ts";
import type { LoraOptions } from "../../src/models/lora.ts";
import type { Metrics } from "../../src/runs/metrics.ts";
import type { TrainingContext } from "../../src/train/context.ts";
import { samplingOptions } from "../../src/train/sampling.ts";
import { type RolloutSettings, rolloutSettings } from "../../src/train/settings.ts";
import { updatePolicy } from "../../src/train/updates.ts";
import { caseOfEachFamily, goldenCase } from "../parity/golden.ts";

const given: Partial<RolloutSettings> = {
  prompts_per_step: 4,
  num_generations: 3,
  max_completion_length: 5,
  learning_rate: 1e-3,
  lr_scheduler_type: "constant",
  weight_decay: 0.1,
};

const spread = [1, -0.5, -0.5];
const none = [0, 0, 0];

interface Outcome {
  readonly metrics: Metrics;
  /** By weight, at each update. */
  readonly gradients: readonly ReadonlyMap<string, Float32Array>[];
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Completions that the engine was given at each pass. */
  readonly passed: readonly number[];
}

/** Rollouts on four prompts, of which the last has no image, with given advantages, and the updates on each. */
async function run(
  name: (typeof caseOfEachFamily)[number],
  steps: readonly (readonly (readonly number[])[])[],
  o: { readonly settings?: Partial<RolloutSettings>; readonly lora?: LoraOptions | null; readonly all: boolean },
): Promise<Outcome> {
  const golden = goldenCase(name);
  const prompts: readonly Prompt[] = [
    golden.prompt,
    scaled(golden.prompt, 0.5),
    scaled(golden.prompt, -1),
    { text: "", tokenIds: Int32Array.of(7, 12, 9, 31), images: [] },
  ];
  const core = new LocalCore({
    ...{ modelFolder: golden.checkpoint, initialise: "pretrained", seed: 3, freeze: [], lora: o.lora ?? null },
    ...{ threads: 1, microBatchTokens: 4096, rows: 8 },
  });
  const gradients: Map<string, Float32Array>[] = [];
  const passed: number[] = [];
  const copied = (of: (weight: string) => Float32Array | null) =>
    new Map([...core.store.trainable].flatMap((weight) => (of(weight) ? [[weight, of(weight)!.slice()]] : [])));
  const engine = {
    forwardBackward: (batch) => {
      passed.push(batch.groups.reduce((sum, { completions }) => sum + completions.length, 0));
      return core.forwardBackward(batch);
    },
    optimStep: async (options: OptimStep) => {
      gradients.push(copied((weight) => core.store.gradient(weight)));
      return core.optimStep(options);
    },
  } as Partial<TrainingEngine> as TrainingEngine;
  const settings = rolloutSettings("grpo", { ...given, ...o.settings });
  let metrics: Metrics = {};
  try {
    for (const [index, advantages] of steps.entries()) {
      const sampling = samplingOptions(settings, 1, index);
      const sampled: SampledGroup[] = [];
      await core.sample(prompts, { ...sampling, rows: 8, stopTokenIds: stops }, (group) => sampled.push(group));
      const groups = prompts.map((prompt, i): RolloutGroup => {
        const { completions } = sampled.find((group) => group.index === i)!;
        const whole = completions.map((own): Completion => ({ ...own, text: "", policyVersion: 0 }));
        const reward = advantages[i]!;
        return { id: "", example, prompt, completions: whole, rewards: {}, reward, advantages: advantages[i]! };
      });
      const context = { engine, steps: steps.length } as TrainingContext;
      metrics = await updatePolicy(context, settings, groups, sampling, { index, step: index + 1 }, { all: o.all });
    }
    return { metrics, gradients, passed, weights: copied((weight) => core.store.values[weight]!.data as Float32Array) };
  } finally {
    await core.close();
  }
}

const example: Example = {
  ...{ id: "", subjectId: "", question: "", images: [], answer: "" },
  ...{ answerType: "open", choices: [], meta: {} },
};
/** About one token in five: completions of many lengths. */
const stops = Array.from({ length: 80 }, (_, i) => 5 * i);

/** With other images of the same sizes. */
function scaled(prompt: Prompt, factor: number): Prompt {
  const images = prompt.images.map((image) => {
    return { ...image, sha256: `${image.sha256} ${factor}`, patches: image.patches.map((value) => factor * value) };
  });
  return { ...prompt, images };
}

/** Norm of the difference over the norm, all weights together. */
function relative(found: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>): number {
  expect([...found.keys()]).toEqual([...expected.keys()]);
  let [apart, size] = [0, 0];
  for (const [name, values] of expected) {
    for (const [i, value] of values.entries()) {
      apart += (found.get(name)![i]! - value) ** 2;
      size += value ** 2;
    }
  }
  return apart === 0 ? 0 : Math.sqrt(apart / size);
}

async function expectSame(...[name, steps, o]: Parameters<typeof run>): Promise<Outcome> {
  const fewer = await run(name, steps, { ...o, all: false });
  const all = await run(name, steps, { ...o, all: true });
  expect(all.gradients.length).toBe(fewer.gradients.length);
  for (const [i, expected] of all.gradients.entries()) {
    // Other rows have other rounding; after an update AdamW makes much of it where a gradient is almost 0.
    expect(relative(fewer.gradients[i]!, expected), `update ${i}`).toBeLessThan(1e-5);
  }
  expect(relative(fewer.weights, all.weights)).toBeLessThan(1e-5);
  const { "sampler/logprob_diff_max": rounding = 0, "completion/trained_fraction": share, ...rest } = fewer.metrics;
  for (const [key, value] of Object.entries(rest)) {
    // An extreme follows the rounding of one completion, where means level it.
    const allowed = /_(max|min)$/.test(key) ? 1e-4 : 1e-5;
    expect(Math.abs(Number(value) - Number(all.metrics[key])), key).toBeLessThan(allowed);
  }
  expect(Number(rounding)).toBeLessThan(1e-4);
  expect(Number(share)).toBeLessThan(Number(all.metrics["completion/trained_fraction"]));
  return fewer;
}

const lora = { r: 4, lora_alpha: 8, target_modules: "all-linear" };
const kinds = caseOfEachFamily.flatMap((name) => [
  { name, trained: "all weights", lora: null },
  { name, trained: "adapters", lora },
]);

test.each(kinds)("groups without spread, in $name, $trained", async ({ name, lora }) => {
  const mixed = [none, spread, none, spread];
  const { passed } = await expectSame(name, [mixed, [spread, none, spread, none]], { lora, all: false });
  expect(passed).toEqual([6, 6]);
});

describe("qwen2_vl", () => {
  const [name] = caseOfEachFamily;

  test("a step without any spread still moves moments and decays weights, the tower's too", async () => {
    const { passed, metrics } = await expectSame(
      name!,
      [
        [spread, spread, spread, spread],
        [none, none, none, none],
        [none, none, none, spread],
      ],
      { all: false },
    );
    expect(passed).toEqual([12, 0, 3]);
    expect(metrics["optim/grad_norm"]).toBeGreaterThan(0);
  });

  test("at the very first step too, and the sampler is compared with nothing", async () => {
    const { metrics, weights } = await expectSame(name!, [[none, none, none, none]], { all: false });
    expect(metrics).toMatchObject({ loss: 0, "optim/grad_norm": 0, "policy/ratio_mean": 1 });
    expect(metrics).not.toHaveProperty("sampler/logprob_diff_max");
    const still = await run(name!, [[none, none, none, none]], { all: false, settings: { weight_decay: 0 } });
    expect(relative(weights, still.weights)).toBeGreaterThan(1e-5);
  });

  test.each([
    ["several passes over mini-batches", { num_iterations: 2, steps_per_generation: 2 }, [0, 6, 0, 6]],
    ["one ratio a completion", { num_iterations: 2, importance_sampling_level: "sequence" }, [6, 6]],
    ["masked completions", { mask_truncated_completions: true, loss_type: "dapo" }, null],
  ] as const)("%s", async (_, settings, calls) => {
    const { passed } = await expectSame(name!, [[none, none, spread, spread]], { settings, all: false });
    if (calls !== null) expect(passed).toEqual(calls);
    else expect(passed[0]).toBeLessThan(6);
  });

  test("with an entropy bonus everything has a gradient", async () => {
    const { passed } = await run(name!, [[none, spread, none, spread]], {
      all: false,
      settings: { entropy_coef: 0.1 },
    });
    expect(passed).toEqual([12]);
  });
});
