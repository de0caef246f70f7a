/** LoRA dropout: masks as specified, in training only, and independent of batching, recomputation and resuming. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { TokenLossName } from "../../src/algorithms/index.ts";
import { interpret } from "../../src/compiler/interpret.ts";
import { constant } from "../../src/compiler/tensor.ts";
import { randomKey } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor-data.ts";
import type { EngineOptions } from "../../src/engine/backend.ts";
import { plainScoring } from "../../src/engine/engine.ts";
import { dropoutMasks, rowKeys } from "../../src/engine/local/dropout.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { openModel } from "../../src/models/index.ts";
import { type LoraOptions, withLora } from "../../src/models/lora.ts";
import { loraUpdate } from "../../src/nn/lora.ts";
import { caseOfEachFamily, goldenCase, maxDifference } from "../parity/golden.ts";
import { batchOf, gradientDifference, madeCompletions } from "./setup.ts";

const lora: LoraOptions = { r: 4, lora_alpha: 8, target_modules: "all-linear", lora_dropout: 0.3 };
const optimiser = { learningRate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
const folder = mkdtempSync(join(tmpdir(), "viva-dropout-"));
afterAll(() => rmSync(folder, { recursive: true }));

function open(name: (typeof caseOfEachFamily)[number], o: Partial<EngineOptions> = {}): LocalCore {
  const { checkpoint } = goldenCase(name);
  const own = { modelFolder: checkpoint, initialise: "pretrained", seed: 3, freeze: [], lora } as const;
  return new LocalCore({ ...own, threads: 1, microBatchTokens: 4096, rows: 8, ...o });
}

function batchFor(name: (typeof caseOfEachFamily)[number], loss: TokenLossName = "clip") {
  const { prompt } = goldenCase(name);
  const completions = (group: string) => madeCompletions([5, 3, 4], group, 300);
  const groups = ["a", "b"].map((group) => ({ prompt, completions: completions(group) }));
  return batchOf(groups, loss);
}

/** All gradients of a core. */
function gradientsOf({ store }: LocalCore): ReadonlyMap<string, Float32Array> {
  return new Map([...store.trainable].map((name) => [name, Float32Array.from(store.gradient(name)!)]));
}

/** A core with B ≠ 0 (at B = 0, A has no gradient), after another forward and backward pass. */
async function trained(name: (typeof caseOfEachFamily)[number], o: Partial<EngineOptions> = {}) {
  const core = open(name, o);
  await core.forwardBackward(batchFor(name));
  await core.optimStep(optimiser);
  const { loss } = await core.forwardBackward(batchFor(name));
  return { core, loss };
}

test("an adapter's update is s·B(A(x ∘ mask))", () => {
  const t = (shape: readonly number[], values: readonly number[]) => constant(float32(shape, values));
  const weights = {
    "q.lora_A.weight": t([1, 2], [2, 3]),
    "q.lora_B.weight": t([2, 1], [1, -1]),
    "q.lora_scaling": t([], [0.5]),
    "q.lora_mask": t([2, 2], [1.25, 0, 0, 1.25]),
  };
  const y = loraUpdate(weights, "q", t([2, 2], [1, 10, 100, 1000]))!;
  expect([...interpret({ inputs: {}, outputs: { y } }, {}).y!.data]).toEqual([1.25, -1.25, 1875, -1875]);
});

describe("masks", () => {
  const model = withLora(openModel(goldenCase("grouped_tied").checkpoint), lora);
  const { blockWeights, blockPrefix } = model.language;
  const lines = (owner: string, count: number) =>
    rowKeys(
      randomKey(5),
      Array.from({ length: count }, (_, i) => [owner, i] as const),
    );
  const masks = (rate: number, block: number, keys: ReturnType<typeof lines>) =>
    dropoutMasks(model, rate, blockWeights, blockPrefix(block), keys);

  test.each([0.05, 0.3, 0.8])("drop a fraction of %d, in every column and every row", (rate) => {
    const count = 4000;
    const { data, shape } = masks(rate, 0, lines("a", count))["self_attn.q_proj.lora_mask"]!;
    const width = shape[1]!;
    const sigmas = (dropped: number, of: number) => Math.abs(dropped - rate * of) / Math.sqrt(of * rate * (1 - rate));
    const columns = new Float64Array(width);
    let pairs = 0;
    for (let i = 0; i < data.length; i++) {
      columns[i % width]! += 1 - data[i]!;
      if (i % width > 0) pairs += (1 - data[i]!) * (1 - data[i - 1]!);
    }
    expect(
      sigmas(
        columns.reduce((a, b) => a + b),
        data.length,
      ),
    ).toBeLessThan(4);
    expect(Math.max(...columns.map((dropped) => sigmas(dropped, count)))).toBeLessThan(4.5);
    const neighbours = count * (width - 1);
    expect(Math.abs(pairs / neighbours - rate ** 2)).toBeLessThan(5 * Math.sqrt(rate ** 2 / neighbours));
  });

  test("differ by layer, block, owner and place, and follow the row wherever it is packed", () => {
    const own = lines("a", 6);
    const first = masks(0.5, 0, own);
    const query = [...first["self_attn.q_proj.lora_mask"]!.data];
    expect([...first["self_attn.k_proj.lora_mask"]!.data]).not.toEqual(query);
    expect([...masks(0.5, 1, own)["self_attn.q_proj.lora_mask"]!.data]).not.toEqual(query);
    expect([...masks(0.5, 0, lines("b", 6))["self_attn.q_proj.lora_mask"]!.data]).not.toEqual(query);
    const width = query.length / 6;
    const moved = [...masks(0.5, 0, [own[4]!, own[1]!])["self_attn.q_proj.lora_mask"]!.data];
    expect(moved).toEqual([...query.slice(4 * width, 5 * width), ...query.slice(width, 2 * width)]);
  });
});

describe.each(caseOfEachFamily)("dropout on %s", (name) => {
  test("micro-batches, recomputed blocks and a resumed run use the same masks", async () => {
    const { core, loss } = await trained(name);
    const expected = gradientsOf(core);
    const tokens = goldenCase(name).prompt.tokenIds.length;
    for (const o of [{ microBatchTokens: tokens + 6 }, { activationBytes: 0 }]) {
      const other = await trained(name, o);
      expect(Math.abs(other.loss - loss)).toBeLessThan(1e-4);
      // Rounding alone comes to 1.3e-3 where outputs are moved by 1e-7; another mask differs by more than 1e-2.
      expect(gradientDifference(gradientsOf(other.core), expected).difference).toBeLessThan(3e-3);
    }
    const before = open(name);
    await before.forwardBackward(batchFor(name));
    await before.optimStep(optimiser);
    before.save(join(folder, name), true);
    const resumed = open(name);
    resumed.load(join(folder, name));
    await resumed.forwardBackward(batchFor(name));
    expect(gradientDifference(gradientsOf(resumed), expected).difference).toBe(0);
  });

  test("another pass and another seed drop other elements; without dropout the gradient differs", async () => {
    const { core, loss } = await trained(name);
    expect((await core.forwardBackward(batchFor(name))).loss).not.toBe(loss);
    const expected = gradientsOf((await trained(name)).core);
    const plain = await trained(name, { lora: { ...lora, lora_dropout: 0 } });
    expect(gradientDifference(gradientsOf(plain.core), expected).difference).toBeGreaterThan(0.01);
    const sure = await open(name, { lora: { ...lora, lora_dropout: 0 } }).forwardBackward(batchFor(name));
    expect(sure.dropout).toBe(false);
  });

  test("scores and the reference are unaffected", async () => {
    const { core } = await trained(name);
    core.freezeReference(true);
    core.save(join(folder, `${name}-plain`), false);
    const plain = open(name, { lora: { ...lora, lora_dropout: 0 }, adapterFolder: join(folder, `${name}-plain`) });
    const { groups } = batchFor(name);
    const expected = (await plain.logProbs(groups, plainScoring, "policy")).logProbs;
    for (const which of ["policy", "reference"] as const) {
      const { logProbs } = await core.logProbs(groups, plainScoring, which);
      for (const [i, own] of logProbs.entries()) expect(maxDifference(own, expected[i]!)).toBe(0);
    }
  });

  test("the gradient equals central differences under the same masks", async () => {
    const o = {
      lora: { ...lora, target_modules: /idefics|smolvlm/.test(name) ? ["q_proj", "fc1"] : ["q_proj", "attn.qkv"] },
    };
    const state = join(folder, `${name}-state`);
    const start = open(name, o);
    await start.forwardBackward(batchFor(name, "supervised"));
    await start.optimStep(optimiser);
    start.save(state, true);
    const { core, expected } = await atState(o, state);
    for (const [weight, gradient] of expected) {
      const at = gradient.reduce((best, g, i) => (Math.abs(g) > Math.abs(gradient[best]!) ? i : best), 0);
      const loss = async (shift: number) => {
        core.load(state);
        core.store.values[weight]!.data[at]! += shift;
        return (await core.forwardBackward(batchFor(name, "supervised"))).loss;
      };
      const difference = ((await loss(0.005)) - (await loss(-0.005))) / 0.01;
      expect(Math.abs(difference - gradient[at]!), weight).toBeLessThan(2e-3 + 0.02 * Math.abs(gradient[at]!));
    }
  }, 60_000);

  async function atState(o: Partial<EngineOptions>, state: string) {
    const core = open(name, o);
    core.load(state);
    await core.forwardBackward(batchFor(name, "supervised"));
    return { core, expected: gradientsOf(core) };
  }
});
