/** Soft Q-learning on a real model: values of a fresh critic, gradients, splits, chunks, and what is saved. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { interpret } from "../../src/compiler/interpret.ts";
import type { Params } from "../../src/compiler/tensor.ts";
import { normal, randomKey } from "../../src/core/random.ts";
import { float32, int32, sizeOf, type TensorData } from "../../src/core/tensor-data.ts";
import type { EngineOptions } from "../../src/engine/backend.ts";
import type { SoftBatch, SoftResult, TrainingGroup } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { softCriticProgram, softPolicyProgram } from "../../src/engine/local/soft-programs.ts";
import { openModel } from "../../src/models/index.ts";
import { goldenCase } from "../parity/golden.ts";
import { madeCompletions, sampledScoring } from "./setup.ts";

const golden = goldenCase("grouped_tied");
const scratch = mkdtempSync(join(tmpdir(), "viva-soft-q-"));
const cores: LocalCore[] = [];
afterAll(async () => {
  for (const core of cores) await core.close();
  rmSync(scratch, { recursive: true });
});

const lora = { r: 4, lora_alpha: 8, target_modules: "all-linear" };

function open(change: Partial<EngineOptions> = {}): LocalCore {
  const core = new LocalCore({
    ...{ modelFolder: golden.checkpoint, initialise: "pretrained", seed: 1, freeze: [], lora, threads: 1 },
    ...{ microBatchTokens: 4096, rows: 8, ...change },
  });
  cores.push(core);
  return core;
}

const optimiser = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

/** Other completions at every step; rewards are targets by hand. */
function batchAt(step: number, targets?: readonly Float32Array[]): SoftBatch {
  const completions = madeCompletions([3, 5, 2], `soft ${step}`, 380).map(({ tokenIds }, i) => {
    return { tokenIds, weight: 0.1, advantage: targets?.[i] ?? 0 };
  });
  const groups: TrainingGroup[] = [{ prompt: golden.prompt, completions }];
  return { groups, scoring: sampledScoring, beta: 0.2 };
}

const targetsOf = ({ values }: SoftResult) =>
  values.map((list, c) => list.map((value, t) => value + 0.5 * c - 0.3 * t));

async function update(core: LocalCore, step: number, polyak = 0.5) {
  const policy = await core.soft.policyPass(batchAt(step));
  const critic = await core.soft.criticPass(batchAt(step, targetsOf(policy)));
  // With a large epsilon a gradient that is rounding alone moves nothing.
  const norms = await core.soft.step({ policy: { ...optimiser, epsilon: 1e-2 }, critic: optimiser, polyak });
  return { policy, critic, norms };
}

const largest = (lists: readonly Float32Array[]) => Math.max(...lists.flatMap((list) => [...list].map(Math.abs)));

test("a fresh critic values nothing, and a fresh policy has nothing to follow", async () => {
  const core = open();
  const { policy, critic, norms } = await update(core, 0);
  expect(largest(policy.values)).toBeLessThan(1e-5);
  expect(largest(critic.values)).toBeLessThan(1e-5);
  expect(norms.policy.gradNorm).toBeLessThan(1e-5);
  expect(norms.critic.gradNorm).toBeGreaterThan(1e-4);
  const { logProbs } = await open().logProbs(batchAt(0).groups, sampledScoring, "policy");
  for (const [c, list] of policy.logProbs.entries())
    for (const [t, value] of list.entries()) expect(value).toBeCloseTo(logProbs[c]![t]!, 4);
});

test("the policy's gradient comes from the target: none while it stands still, some once it has moved", async () => {
  const [still, moved] = [open(), open()];
  for (let step = 0; step < 2; step++) {
    await update(still, step, 1);
    await update(moved, step, 0);
  }
  const norms = [await update(still, 2, 1), await update(moved, 2, 0)].map((one) => one.norms.policy.gradNorm);
  expect(norms[0]).toBeLessThan(1e-5);
  expect(norms[1]).toBeGreaterThan(1e-4);
});

test("the critic learns its targets", async () => {
  const core = open();
  const losses: number[] = [];
  for (let step = 0; step < 15; step++) losses.push((await update(core, 0, 1)).critic.loss);
  expect(losses.at(-1)!).toBeLessThan(0.3 * losses[0]!);
});

test("micro-batches give the values and norms of one batch", async () => {
  const [whole, split] = [open(), open({ microBatchTokens: 40 })];
  for (let step = 0; step < 3; step++) {
    const [a, b] = [await update(whole, step), await update(split, step)];
    for (const kind of ["policy", "critic"] as const) {
      expect(b[kind].loss).toBeCloseTo(a[kind].loss, 4);
      for (const [c, list] of a[kind].values.entries())
        for (const [t, value] of list.entries()) expect(b[kind].values[c]![t]).toBeCloseTo(value, 3);
    }
    expect(b.norms.critic.gradNorm / a.norms.critic.gradNorm).toBeCloseTo(1, 2);
  }
});

test("after an observation a token has the values that it has after a prompt which tells the same", async () => {
  const core = open();
  for (let step = 0; step < 2; step++) await update(core, step, 0);
  const [asked, told, said] = madeCompletions([3, 4, 2], "observed", 380).map(({ tokenIds }) => tokenIds);
  const { prompt } = golden;
  const mask = Uint8Array.from([1, 1, 1, 0, 0, 0, 0, 1, 1]);
  const tokenIds = Int32Array.from([...asked!, ...told!, ...said!]);
  const longer = { ...prompt, tokenIds: Int32Array.from([...prompt.tokenIds, ...asked!, ...told!]) };
  const group = (one: TrainingGroup["prompt"], completion: object): TrainingGroup => {
    return { prompt: one, completions: [{ weight: 0.1, advantage: 0.7, ...completion } as never] };
  };
  const observed = { scoring: sampledScoring, beta: 0.2, groups: [group(prompt, { tokenIds, mask })] };
  const apart = { ...observed, groups: [group(prompt, { tokenIds: asked }), group(longer, { tokenIds: said })] };
  for (const pass of ["policyPass", "criticPass"] as const) {
    const [whole, parts] = [await core.soft[pass](observed), await core.soft[pass](apart)];
    const values = [...whole.values[0]!];
    expect(values.slice(3, 7)).toEqual([0, 0, 0, 0]);
    expect(largest(whole.values)).toBeGreaterThan(1e-3);
    const expected = [...parts.values[0]!, ...parts.values[1]!];
    for (const [t, value] of [...values.slice(0, 3), ...values.slice(7)].entries())
      expect(value).toBeCloseTo(expected[t]!, 4);
    expect(whole.loss).toBeCloseTo(parts.loss, 4);
  }
});

test("save, load, two updates = four uninterrupted ones, to the bit", async () => {
  const core = open();
  for (let step = 0; step < 2; step++) await update(core, step);
  const folder = join(scratch, "saved");
  core.save(folder, true);
  const expected = [await update(core, 2), await update(core, 3)];
  const resumed = open();
  resumed.load(folder);
  expect([await update(resumed, 2), await update(resumed, 3)]).toEqual(expected);
  core.resetOptimizer();
  expect(largest((await core.soft.criticPass(batchAt(4))).values)).toBeLessThan(1e-5);
});

test("needs adapters without dropout", () => {
  expect(() => open({ lora: null }).soft).toThrow("set model.lora");
  const dropped = open({ lora: { ...lora, lora_dropout: 0.1 } });
  expect(() => dropped.soft).toThrow("lora_dropout: 0");
});

describe.each(["policy", "critic"] as const)("the program of the %s", (which) => {
  const model = openModel(golden.checkpoint);
  const variant = { greedy: false, topK: 0, topP: false } as const;
  const program = which === "policy" ? softPolicyProgram(model, variant) : softCriticProgram(model);
  const { vocabularySize } = model.language;

  function feeds(rows: readonly number[]): Params<TensorData> {
    const drawn = (name: string, shape: readonly number[], scale: number) => {
      const [, ...rest] = shape;
      const size = sizeOf(rest);
      const one = (row: number) => Array.from({ length: size }, (_, i) => scale * normal(randomKey(row, name), i));
      return float32(shape, rows.flatMap(one));
    };
    const given = Object.entries(program.inputs).map(([name, { shape }]) => {
      if (name === "targets")
        return [
          name,
          int32(
            [rows.length],
            Int32Array.from(rows, (row) => 7 * row + 3),
          ),
        ] as const;
      if (name === "temperature" || name === "topP") return [name, float32([], [name === "topP" ? 1 : 0.8])] as const;
      if (name === "beta") return [name, float32([], [0.3])] as const;
      if (name === "banned") return [name, float32([vocabularySize], new Float32Array(vocabularySize))] as const;
      if (shape[0] === "chunk") {
        return [
          name,
          drawn(name, [rows.length, ...(shape.slice(1) as number[])], name === "advantage" ? 8 : 1),
        ] as const;
      }
      const fixed = shape as readonly number[];
      const data = Float32Array.from({ length: sizeOf(fixed) }, (_, i) => 0.3 * normal(randomKey(9, name), i));
      return [name, float32(fixed, data)] as const;
    });
    return Object.fromEntries(given);
  }
  const run = (fed: Params<TensorData>) => interpret(program, fed, { precision: "float64" });

  test("has the gradient of central differences", () => {
    const fed = feeds([0, 1]);
    const gradient = run(fed)["d.x"]!.data;
    const x = fed["x"]!;
    for (const at of [0, 5, x.data.length - 3]) {
      const [high, low] = [1e-4, -1e-4].map((step) => {
        const data = Float64Array.from(x.data);
        data[at]! += step;
        return run({ ...fed, x: { dtype: "float64", shape: x.shape, data } })["loss"]!.data[0]!;
      });
      expect(gradient[at]).toBeCloseTo((high! - low!) / 2e-4, 6);
    }
  });

  test("in chunks is the program of the whole", () => {
    const whole = run(feeds([0, 1, 2, 3]));
    const parts = [run(feeds([0, 1])), run(feeds([2, 3]))];
    expect(parts[0]!["loss"]!.data[0]! + parts[1]!["loss"]!.data[0]!).toBeCloseTo(whole["loss"]!.data[0]!, 10);
    for (const name of ["value", "d.x"]) {
      const joined = parts.flatMap((part) => [...part[name]!.data]);
      for (const [i, value] of whole[name]!.data.entries()) expect(joined[i]).toBeCloseTo(value, 10);
    }
  });
});
