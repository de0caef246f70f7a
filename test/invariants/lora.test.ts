/** LoRA: fresh adapters change nothing, only adapters get gradients, and the reference is the model without them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { plainVariant } from "../../src/algorithms/algorithm.ts";
import { defaultLossNumbers } from "../../src/algorithms/index.ts";
import type { EngineOptions } from "../../src/engine/backend.ts";
import { type LiveToken, plainScoring } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import type { SampledCompletion } from "../../src/engine/local/sampler.ts";
import { readAdapterConfig } from "../../src/models/adapter-files.ts";
import { openModel } from "../../src/models/index.ts";
import { type LoraOptions, withLora } from "../../src/models/lora.ts";
import { type CaseName, caseOfEachFamily, goldenCase, maxDifference } from "../parity/golden.ts";
import { gradientDifference } from "./setup.ts";

const lora: LoraOptions = { r: 4, lora_alpha: 8, target_modules: "all-linear" };
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => void rmSync(folder, { recursive: true })));

/** Layers of the language model, of a block of the tower and of a merger. */
const someLayers: Readonly<Partial<Record<CaseName, readonly string[]>>> = {
  grouped_tied: ["q_proj", "down_proj", "attn.qkv", "mlp.2"],
  windows_tied: ["q_proj", "down_proj", "attn.qkv", "mlp.2"],
  deepstack_tied: ["q_proj", "down_proj", "attn.qkv", "deepstack_merger_list.1.linear_fc2"],
  idefics3_split: ["q_proj", "down_proj", "out_proj", "modality_projection.proj"],
  smolvlm_several: ["v_proj", "gate_proj", "fc1", "modality_projection.proj"],
};

const optimiser = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };

function freshFolder(): string {
  folders.push(mkdtempSync(join(tmpdir(), "viva-lora-")));
  return folders.at(-1)!;
}

describe.each(caseOfEachFamily)("LoRA on %s", (name) => {
  const golden = goldenCase(name);
  const group = {
    prompt: golden.prompt,
    completions: [{ tokenIds: golden.completion, weight: 1 / golden.completion.length, advantage: 1 }],
  };
  const batch = {
    groups: [group],
    scoring: plainScoring,
    loss: {
      name: "supervised",
      variant: plainVariant,
      numbers: defaultLossNumbers,
    },
  } as const;
  const open = (o: Partial<EngineOptions> = {}): LocalCore =>
    new LocalCore({
      modelFolder: golden.checkpoint,
      initialise: "pretrained",
      seed: 3,
      freeze: [],
      lora,
      threads: 1,
      microBatchTokens: 512,
      rows: 8,
      ...o,
    });

  const score = async (core: LocalCore, which: "policy" | "reference" = "policy") =>
    (await core.logProbs([group], plainScoring, which)).logProbs[0]!;

  test("fresh adapters equal the base, and training changes them but not the reference", async () => {
    const base = await score(open({ lora: null }));
    const core = open();
    expect(maxDifference(await score(core), base)).toBeLessThan(1e-6);
    core.freezeReference(true);
    const { loss: before } = await core.forwardBackward(batch);
    await core.optimStep(optimiser);
    for (let i = 0; i < 4; i++) {
      await core.forwardBackward(batch);
      await core.optimStep(optimiser);
    }
    const { loss: after } = await core.forwardBackward(batch);
    expect(after).toBeLessThan(before - 0.1);
    expect(maxDifference(await score(core, "reference"), base)).toBeLessThan(1e-6);
  });

  test("completions are sampled from the trained policy, before and after an update", async () => {
    const core = open();
    const sampling = { temperature: 1, topP: 1, topK: 0, numGenerations: 3, maxCompletionLength: 6, seed: 5, step: 1 };
    const differences: number[] = [];
    for (let update = 0; update < 2; update++) {
      const completions: SampledCompletion[] = [];
      await core.sample([golden.prompt], { ...sampling, rows: 3, stopTokenIds: [] }, (sampled) => {
        completions.push(...sampled.completions);
      });
      const drawn = completions.map(({ tokenIds }) => ({ tokenIds, weight: 0, advantage: 0 }));
      const { logProbs } = await core.logProbs([{ prompt: golden.prompt, completions: drawn }], sampling, "policy");
      differences.push(...logProbs.map((own, i) => maxDifference(own, completions[i]!.logProbs)));
      await core.forwardBackward(batch);
      await core.optimStep({ ...optimiser, learningRate: 0.05 });
    }
    expect(Math.max(...differences)).toBeLessThan(1e-5);
  });

  test("live decoding equals sampling: both read the merged adapters", async () => {
    const core = open();
    await core.forwardBackward(batch);
    await core.optimStep({ ...optimiser, learningRate: 0.05 });
    const o = { temperature: 0, topP: 1, maxCompletionLength: 6, numGenerations: 1, seed: 5, stopTokenIds: [] };
    const sampled: SampledCompletion[] = [];
    await core.sample([golden.prompt], { ...o, topK: 0, step: 1, rows: 1 }, ({ completions }) => {
      sampled.push(...completions);
    });
    const live: LiveToken[] = [];
    let ended: Error | null | undefined;
    core.decode(golden.prompt, o, {
      onToken: (token) => live.push(token),
      onEnd: (error) => {
        ended = error;
      },
    });
    while (await core.advance());
    expect(ended).toBeNull();
    expect(live.map(({ tokenId }) => tokenId)).toEqual([...sampled[0]!.tokenIds]);
    const logProbs = Float32Array.from(live, ({ logProb }) => logProb);
    expect(maxDifference(logProbs, sampled[0]!.logProbs)).toBeLessThan(1e-5);
  });

  test("adapters merged for sampling train like separate ones", async () => {
    const [separate, merged] = [open(), open()];
    for (const core of [separate, merged]) {
      await core.forwardBackward(batch);
      await core.optimStep({ ...optimiser, learningRate: 0.05 });
    }
    const sampling = { temperature: 1, topP: 1, topK: 0, numGenerations: 1, maxCompletionLength: 2, seed: 5, step: 1 };
    const o = { ...sampling, rows: 1, stopTokenIds: [], trainsNext: true };
    await merged.sample([golden.prompt], o, () => {});
    expect(maxDifference(await score(merged), await score(separate))).toBeLessThan(1e-5);
    const losses = await Promise.all([separate, merged].map(async (core) => (await core.forwardBackward(batch)).loss));
    expect(losses[1]).toBeCloseTo(losses[0]!, 5);
    const gradients = ({ store }: LocalCore) =>
      new Map([...store.trainable].map((name) => [name, store.gradient(name)!]));
    expect(gradientDifference(gradients(merged), gradients(separate)).difference).toBeLessThan(1e-5);
  });

  test("an adapter saved in PEFT's layout loads to the same policy and resumes exactly", async () => {
    const core = open();
    await core.forwardBackward(batch);
    await core.optimStep(optimiser);
    const folder = freshFolder();
    core.save(folder, true);
    const loaded = open({ adapterFolder: folder, seed: 9 });
    expect(maxDifference(await score(loaded), await score(core))).toBe(0);
    const resumed = open({ seed: 9 });
    resumed.load(folder);
    for (const each of [core, resumed]) {
      await each.forwardBackward(batch);
      await each.optimStep(optimiser);
    }
    expect(maxDifference(await score(resumed), await score(core))).toBe(0);
  });

  test("the gradient with respect to every adapter weight equals central differences", async () => {
    const core = open({ lora: { ...lora, target_modules: someLayers[name]! } });
    await core.forwardBackward(batch);
    await core.optimStep({ ...optimiser, learningRate: 0.05 }); // to B ≠ 0, since A has no gradient at B = 0
    await core.forwardBackward(batch);
    const store = core.store;
    for (const name of store.trainable) {
      const values = store.values[name]!.data as Float32Array;
      const gradient = Float32Array.from(store.gradient(name)!);
      const largest = gradient.reduce((best, g, i) => (Math.abs(g) > Math.abs(gradient[best]!) ? i : best), 0);
      const loss = async (shift: number) => {
        const kept = values[largest]!;
        values[largest] = kept + shift;
        const logProbs = await score(core);
        values[largest] = kept;
        return -logProbs.reduce((total, logProb) => total + logProb, 0) / logProbs.length;
      };
      const step = 0.01;
      const slope = ((await loss(step)) - (await loss(-step))) / (2 * step);
      expect(Math.abs(slope - gradient[largest]!), name).toBeLessThan(0.02 * Math.abs(slope) + 2e-4);
    }
  });

  describe("whose blocks differ", () => {
    const uneven: LoraOptions = {
      r: 2,
      lora_alpha: 4,
      target_modules: ["q_proj", "k_proj", "attn.qkv"],
      exclude_modules: ".*layers\\.0.*k_proj",
      rank_pattern: { "layers\\.1\\.self_attn\\.q_proj": 5 },
      alpha_pattern: { "blocks\\.1.*": 1 },
    };
    const { language, vision } = openModel(golden.checkpoint);
    const attention = `${language.blockPrefix(0)}self_attn.`;

    test("learns, and the weights a block lacks stay zero", async () => {
      const core = open({ lora: uneven });
      const { loss: before } = await core.forwardBackward(batch);
      await core.optimStep(optimiser);
      for (let i = 0; i < 4; i++) {
        await core.forwardBackward(batch);
        await core.optimStep(optimiser);
      }
      expect((await core.forwardBackward(batch)).loss).toBeLessThan(before - 0.02);
      const { shape, data } = core.store.values[`${attention}q_proj.lora_A.weight`]!;
      expect(shape[0]).toBe(5);
      const values = Array.from(data);
      expect(values.slice(0, 2 * shape[1]!).every((x) => x !== 0)).toBe(true);
      expect(values.slice(2 * shape[1]!).every((x) => x === 0)).toBe(true);
      for (const side of ["A", "B"]) {
        const absent = core.store.values[`${attention}k_proj.lora_${side}.weight`]!;
        expect(Array.from(absent.data).every((x) => x === 0)).toBe(true);
      }
    });

    test("is saved at each layer's own rank and loads to the same policy", async () => {
      const core = open({ lora: uneven });
      await core.forwardBackward(batch);
      await core.optimStep(optimiser);
      const folder = freshFolder();
      core.save(folder, true);
      const config = readAdapterConfig(folder);
      const fused = vision.blockWeights.some((weight) => weight.includes("qkv"));
      const inTower = fused ? vision.depth : 2 * vision.depth - 1;
      expect(config.target_modules).toHaveLength(2 * language.depth - 1 + inTower);
      const loaded = open({ lora: config, adapterFolder: folder, seed: 9 });
      expect(maxDifference(await score(loaded), await score(core))).toBe(0);
    });
  });
});

test("all-linear includes every linear layer except the output head, also in windows and mergers", () => {
  const count = (name: CaseName) => withLora(openModel(goldenCase(name).checkpoint), lora).adapters!.size;
  expect(count("grouped_tied")).toBe(2 * 7 + 2 * 4 + 2);
  expect(count("windows_tied")).toBe(2 * 7 + 3 * 5 + 2);
  expect(count("deepstack_tied")).toBe(3 * 7 + 3 * 4 + 3 * 2);
  expect(count("smolvlm_several")).toBe(2 * 7 + 2 * 6 + 1);
});

test("names match towers with separate queries, keys and values, and connectors", () => {
  const idefics3 = openModel(goldenCase("idefics3_split").checkpoint);
  // The layers that PEFT 0.21 chooses in the same checkpoint.
  const count = (target_modules: LoraOptions["target_modules"]) =>
    withLora(idefics3, { ...lora, target_modules }).adapters!.size;
  expect(count(["q_proj"])).toBe(4);
  expect(count(["out_proj", "modality_projection.proj"])).toBe(3);
  expect(count(".*text_model.*\\.(q_proj|v_proj)")).toBe(4);
  expect(count(["proj"])).toBe(1);
});
