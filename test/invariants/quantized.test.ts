/** A quantised base: its distance from the float model, and the correctness of gradients through it. */
import { afterAll, describe, expect, test } from "vitest";
import { plainVariant } from "../../src/algorithms/algorithm.ts";
import { defaultLossNumbers } from "../../src/algorithms/index.ts";
import { interpret } from "../../src/compiler/interpret.ts";
import { dequantize } from "../../src/compiler/ops/index.ts";
import { constant } from "../../src/compiler/tensor.ts";
import { normal, randomKey } from "../../src/core/random.ts";
import type { TensorData } from "../../src/core/tensor-data.ts";
import { plainScoring, type TrainingGroup } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { packedName, scalesName } from "../../src/models/quantize.ts";
import { quantize } from "../../src/nn/quantize.ts";
import { goldenCase, maxDifference } from "../parity/golden.ts";

const golden = goldenCase("grouped_tied");
const group: TrainingGroup = {
  prompt: golden.prompt,
  completions: [{ tokenIds: golden.completion, weight: 1 / golden.completion.length, advantage: 1 }],
};
const batch = {
  groups: [group],
  scoring: plainScoring,
  loss: { name: "supervised", variant: plainVariant, numbers: defaultLossNumbers },
} as const;
const cores: LocalCore[] = [];
afterAll(async () => {
  for (const core of cores) await core.close();
});

function open(quantizeFrozen: 4 | 8 | null): LocalCore {
  const core = new LocalCore({
    modelFolder: golden.checkpoint,
    initialise: "pretrained",
    seed: 3,
    freeze: [],
    lora: { r: 4, lora_alpha: 8, target_modules: ["q_proj", "down_proj"] },
    quantizeFrozen,
    threads: 1,
    microBatchTokens: 512,
    rows: 8,
  });
  cores.push(core);
  return core;
}

const weightOf = (packed: TensorData, scales: TensorData, bits: 4 | 8) =>
  dequantize(constant(packed), constant(scales), bits);

const score = async (core: LocalCore) => (await core.logProbs([group], plainScoring, "policy")).logProbs[0]!;

test.each([8, 4] as const)("%i bits: no element is off by more than half its block's scale", (bits) => {
  const values = Float32Array.from({ length: 320 }, (_, i) => (i < 32 ? 0 : normal(randomKey(1, "values"), i)));
  const { packed, scales } = quantize(values, bits);
  const stored = (i: number) => (bits === 8 ? packed[i]! - 128 : ((packed[i >> 1]! >> (4 * (i & 1))) & 15) - 8);
  for (const [i, value] of values.entries()) {
    const scale = scales[Math.floor(i / 32)]!;
    expect(Math.abs(stored(i) * scale - value)).toBeLessThanOrEqual(scale * 0.5001);
  }
});

/** Bounds of this model, whose weights are initialised large so that errors show; measured 0.10 and 1.4. */
describe.each([
  [8, 0.2],
  [4, 2],
] as const)("%i bits", (bits, bound) => {
  test("scores equal those of a float model with the dequantised weights", async () => {
    const quantized = open(bits);
    const floats = open(null);
    for (const [name, { data }] of Object.entries(floats.store.values)) {
      const packed = quantized.store.values[packedName(name)];
      if (packed === undefined) continue;
      const program = {
        inputs: {},
        outputs: { weight: weightOf(packed, quantized.store.values[scalesName(name)]!, bits) },
      };
      (data as Float32Array).set(interpret(program, {})["weight"]!.data);
    }
    expect(maxDifference(await score(quantized), await score(floats))).toBeLessThan(1e-4);
  });

  test(`log-probs are within ${bound} of the float model's, and not equal`, async () => {
    const difference = maxDifference(await score(open(bits)), await score(open(null)));
    expect(difference).toBeLessThan(bound);
    expect(difference).toBeGreaterThan(1e-5);
  });

  test("the gradient of an adapter equals the change of the loss", async () => {
    const core = open(bits);
    const name = [...core.store.trainable].find((own) => own.includes("q_proj") && own.includes("lora_B"))!;
    await core.forwardBackward(batch);
    const gradient = core.store.gradient(name)!;
    const at = gradient.reduce((best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best), 0);
    const values = core.store.values[name]!.data;
    const loss = async (delta: number) => {
      values[at]! += delta;
      const found = -(await score(core)).reduce((a, b) => a + b, 0) / golden.completion.length;
      values[at]! -= delta;
      return found;
    };
    const step = 1e-2;
    const expected = ((await loss(step)) - (await loss(-step))) / (2 * step);
    expect(Math.abs(gradient[at]! - expected)).toBeLessThan(0.02 * Math.abs(expected) + 1e-5);
  });

  test("samples with log-probs near the trainer's", async () => {
    const core = open(bits);
    const sampled: { tokenIds: Int32Array; logProbs: Float32Array }[] = [];
    const sampling = { numGenerations: 2, maxCompletionLength: 6, temperature: 1, topP: 1, topK: 0, seed: 1, step: 0 };
    await core.sample([golden.prompt], { ...sampling, rows: 8, stopTokenIds: [] }, (g) =>
      sampled.push(...g.completions),
    );
    const groups = [
      { prompt: golden.prompt, completions: sampled.map(({ tokenIds }) => ({ tokenIds, weight: 1, advantage: 0 })) },
    ];
    const scored = await core.logProbs(groups, sampling, "policy");
    for (const [i, { logProbs }] of sampled.entries()) {
      expect(maxDifference(scored.logProbs[i]!, logProbs)).toBeLessThan(0.2);
    }
  });
});
