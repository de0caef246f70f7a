/** Several adapters on one model: each computes as an engine of its own would, whatever the others do meanwhile. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineOptions } from "../../src/engine/backend.ts";
import type { LiveToken, OptimStep, TrainingEngine } from "../../src/engine/engine.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openProcessor } from "../../src/models/index.ts";
import { goldenCase } from "../parity/golden.ts";
import { batchOf, greedy, listDifference, madeCompletions, openGolden, textPrompt } from "./setup.ts";

const { checkpoint, prompt } = goldenCase("grouped_tied");
const lora = (r: number) => ({ r, lora_alpha: 16, target_modules: ["q_proj", "up_proj"] });
const options: EngineOptions = {
  modelFolder: checkpoint,
  initialise: "pretrained",
  seed: 0,
  freeze: [],
  threads: 1,
  microBatchTokens: 1024,
  rows: 8,
};
const step: OptimStep = {
  learningRate: 0.05,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 0,
};
const groups = [{ prompt, completions: madeCompletions([5, 8], "adapters", 300) }];
const batch = batchOf(groups);
const folder = mkdtempSync(join(tmpdir(), "viva-adapters-"));

let base: LocalEngine;
let decoder: Awaited<ReturnType<typeof openProcessor>>;
beforeAll(async () => {
  decoder = await openProcessor(checkpoint);
  base = await openLocalEngine(options, decoder);
});
afterAll(async () => {
  await base.close();
  rmSync(folder, { recursive: true });
});

const scores = async (engine: TrainingEngine) => (await engine.policy.logProbs(groups, batch.scoring)).logProbs;

async function train(engine: TrainingEngine, steps = 2): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await engine.forwardBackward(batch);
    await engine.optimStep(step);
  }
}

test("adapters of two ranks train apart, each as an engine of its own", async () => {
  const [a, b] = [
    await base.adapters!.open({ lora: lora(4), seed: 1 }),
    await base.adapters!.open({ lora: lora(2), seed: 2 }),
  ];
  const before = await scores(base);
  expect(listDifference(await scores(a), before)).toBeLessThan(1e-6); // fresh adapters change nothing
  await a.forwardBackward(batch); // a gradient that is a's alone
  await train(b);
  expect(listDifference(await scores(a), before)).toBeLessThan(1e-6);
  await a.optimStep(step);
  await a.forwardBackward(batch);
  await a.optimStep(step);

  for (const [engine, r, seed] of [[a, 4, 1] as const, [b, 2, 2] as const]) {
    const own = await openLocalEngine({ ...options, lora: lora(r), seed }, decoder);
    await train(own);
    expect(listDifference(await scores(engine), await scores(own))).toBeLessThan(1e-6);
    await own.close();
  }
  expect(listDifference(await scores(base), before)).toBe(0);
  expect(listDifference(await scores(a), await scores(b))).toBeGreaterThan(1e-3);
  await a.close();
  await train(b, 1); // closing one leaves the others
  await b.close();
});

test("a saved adapter opens beside the one that goes on training, as PEFT stores it", async () => {
  const engine = await base.adapters!.open({ lora: lora(4), seed: 3 });
  await train(engine);
  const saved = join(folder, "saved");
  await engine.save(saved, { training: false });
  expect(existsSync(join(saved, "adapter_model.safetensors"))).toBe(true);
  expect(JSON.parse(readFileSync(join(saved, "adapter_config.json"), "utf8")).r).toBe(4);
  const then = await scores(engine);
  const snapshot = await base.adapters!.open({ lora: lora(4), seed: 9, folder: saved });
  await train(engine);
  expect(listDifference(await scores(snapshot), then)).toBe(0);
  expect(listDifference(await scores(engine), then)).toBeGreaterThan(1e-3);
  const missing = base.adapters!.open({ lora: lora(4), seed: 9, folder: join(folder, "none") });
  await expect(missing).rejects.toThrow("adapter_model.safetensors");
  await snapshot.close();
  await engine.close();
});

test("a pass is the same bit for bit whether or not a snapshot was sampled before it, merged or not", async () => {
  for (const lengths of [[20], [70, 90]]) {
    const long = { ...batch, groups: [{ prompt, completions: madeCompletions(lengths, "long", 300) }] };
    const results = [];
    for (const samples of [false, true]) {
      const engine = await base.adapters!.open({ lora: lora(4), seed: 12 });
      await train(engine);
      const snapshot = await engine.snapshot!();
      if (samples) for await (const _ of snapshot.policy.sample([prompt], greedy));
      await engine.forwardBackward(long);
      await engine.optimStep(step);
      results.push([await scores(engine), await engine.forwardBackward(long)]);
      await snapshot.close();
      await engine.close();
    }
    expect(results[1]).toEqual(results[0]);
  }
});

test("live decoding of two adapters takes turns with training a third; each draws what it draws alone", async () => {
  const engines = [];
  for (const seed of [4, 5, 6]) {
    const engine = await base.adapters!.open({ lora: lora(4), seed });
    await train(engine);
    engines.push(engine);
  }
  const [a, b, c] = engines as [TrainingEngine, TrainingEngine, TrainingEngine];
  const asked = { numGenerations: 3, maxCompletionLength: 40, temperature: 1, topP: 1, seed: 11 };
  const draw = async (engine: TrainingEngine) => {
    const tokens: LiveToken[] = [];
    for await (const token of engine.decode!(prompt, { ...asked, stopTokenIds: [] }).tokens) tokens.push(token);
    return tokens.map(({ completion, tokenId }) => [completion, tokenId].join());
  };
  const alone = [await draw(a), await draw(b)];
  expect(alone[0]).toHaveLength(120); // no stop tokens: all are as long as they may be
  expect(alone[0]).not.toEqual(alone[1]);
  const [one, two] = await Promise.all([draw(a), draw(b), train(c)]);
  expect([one, two]).toEqual(alone);
  // Joining while the other's prompt is computed: the other's merged weights go, its completions stay.
  for (const milliseconds of [1, 3, 5, 10]) {
    const later = new Promise((resolve) => setTimeout(resolve, milliseconds)).then(() => draw(b));
    expect(await Promise.all([draw(a), later])).toEqual(alone);
  }
  for (const engine of engines) await engine.close();
});

test("live decoding equals sampling: both read the merged weights", async () => {
  const engine = await base.adapters!.open({ lora: lora(4), seed: 7 });
  await train(engine);
  const o = { ...greedy, numGenerations: 2, maxCompletionLength: 12, temperature: 1, seed: 21 };
  const sampled: number[][] = [];
  for await (const { completions } of engine.policy.sample([prompt], o)) {
    sampled.push(...completions.map(({ tokenIds }) => [...tokenIds]));
  }
  const live: number[][] = [[], []];
  for await (const { completion, tokenId } of engine.decode!(prompt, o).tokens) live[completion]!.push(tokenId);
  expect(live).toEqual(sampled);
  await engine.close();
});

describe("adapters of folders that take turns", () => {
  const o = { ...greedy, numGenerations: 2, maxCompletionLength: 10, temperature: 1, seed: 31 };
  const draws = async (engine: TrainingEngine) => {
    const drawn: { readonly ids: readonly number[]; readonly logProbs: Float32Array }[] = [];
    for await (const { completions } of engine.policy.sample([prompt], o)) {
      drawn.push(...completions.map(({ tokenIds, logProbs }) => ({ ids: [...tokenIds], logProbs })));
    }
    return drawn;
  };
  /** An engine whose own weights are an adapter; two others, saved; what each of them draws and scores when merged. */
  let own: LocalEngine;
  const saved = new Map<string, { draws: Awaited<ReturnType<typeof draws>>; scores: readonly Float32Array[] }>();
  beforeAll(async () => {
    own = await openLocalEngine({ ...options, lora: lora(2), seed: 40 }, decoder);
    for (const [name, r] of [["first", 4] as const, ["second", 2] as const]) {
      const engine = await own.adapters!.open({ lora: lora(r), seed: r });
      await train(engine, r);
      await engine.save(join(folder, name), { training: false });
      saved.set(name, { draws: await draws(engine), scores: await scores(engine) });
      await engine.close();
    }
  });
  afterAll(() => own.close());

  test("sample and score as each does alone, and beside the weights as merged into them", async () => {
    const [first, second] = [
      await own.adapters!.load(join(folder, "first")),
      await own.adapters!.load(join(folder, "second")),
    ];
    const rounds = [];
    for (let round = 0; round < 2; round++) rounds.push(await Promise.all([draws(first), draws(second)]));
    expect(rounds[1]).toEqual(rounds[0]);
    for (const [name, engine, found] of [
      ["first", first, rounds[0]![0]!] as const,
      ["second", second, rounds[0]![1]!] as const,
    ]) {
      const merged = saved.get(name)!;
      expect(found.map(({ ids }) => ids)).toEqual(merged.draws.map(({ ids }) => ids));
      const of = (all: typeof found) => all.map(({ logProbs }) => logProbs);
      expect(listDifference(of(found), of(merged.draws))).toBeLessThan(1e-4);
      expect(listDifference(await scores(engine), merged.scores)).toBeLessThan(1e-6);
    }
    expect(listDifference(saved.get("first")!.scores, saved.get("second")!.scores)).toBeGreaterThan(1e-3);
    await first.close();
    await second.close();
  });

  test("adapters off is the base model, whose weights the others leave and that is not trained", async () => {
    const off = await own.adapters!.base();
    expect(await scores(off)).toEqual(await scores(base));
    expect(await draws(off)).toEqual(await draws(base));
    expect(await off.policy.embed([prompt])).toEqual(await base.policy.embed([prompt]));
    await train(own); // its own adapter may be trained meanwhile
    expect(await scores(off)).toEqual(await scores(base));
    expect(listDifference(await scores(own), await scores(off))).toBeGreaterThan(1e-3);
    await expect(off.optimStep(step)).rejects.toThrow("adapters are open");
    await off.close();
  });

  test("a folder without an adapter, and one of another model, are one sentence", async () => {
    await expect(own.adapters!.load(join(folder, "none"))).rejects.toThrow("adapter_config.json");
    const other = await openLocalEngine(
      { ...options, modelFolder: goldenCase("ungrouped_untied").checkpoint },
      await openProcessor(goldenCase("ungrouped_untied").checkpoint),
    );
    await expect(other.adapters!.load(join(folder, "first"))).rejects.toThrow("adapter_model.safetensors");
    await other.close();
  });
});

test("weights that adapters are open on cannot change, and unknown tokens are refused", async () => {
  const engine = await base.adapters!.open({ lora: lora(4), seed: 8 });
  await expect(base.optimStep(step)).rejects.toThrow("adapters are open");
  const on = openGolden("grouped_tied");
  const short = { ...textPrompt(on, 4), tokenIds: Int32Array.of(1, 2, 999_999) };
  await expect(engine.policy.logProbs([{ prompt: short, completions: [] }], batch.scoring)).rejects.toThrow(
    "token 999999 is not in the model's vocabulary",
  );
  await expect(base.adapters!.open({ lora: { ...lora(4), target_modules: ["no"] }, seed: 1 })).rejects.toThrow(
    "no linear",
  );
  await engine.close();
});
