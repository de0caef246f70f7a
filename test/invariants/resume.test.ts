/** A saved and loaded engine continues bit by bit like one that was never stopped. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import type { EngineOptions } from "../../src/engine/backend.ts";
import type { OptimStep, TrainingGroup } from "../../src/engine/engine.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import type { SampledGroup } from "../../src/engine/local/sampler.ts";
import { openWeights } from "../../src/io/weights.ts";
import { caseOfEachFamily, goldenCase } from "../parity/golden.ts";
import { batchOf, greedy, madeCompletions, sampledScoring } from "./setup.ts";

const golden = goldenCase("grouped_tied");
const scratch = mkdtempSync(join(tmpdir(), "viva-resume-"));
const cores: LocalCore[] = [];
afterAll(async () => {
  for (const core of cores) await core.close();
  rmSync(scratch, { recursive: true });
});

const options: EngineOptions = {
  modelFolder: golden.checkpoint,
  initialise: "pretrained",
  seed: 1,
  freeze: [],
  threads: 1,
  microBatchTokens: 4096,
  rows: 8,
};

function open(change: Partial<EngineOptions> = {}): LocalCore {
  const core = new LocalCore({ ...options, ...change });
  cores.push(core);
  return core;
}

const optimiser: OptimStep = {
  learningRate: 0.003,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 1,
};

/** A different batch at every step. */
const groupsAt = (step: number): TrainingGroup[] => [
  { prompt: golden.prompt, completions: madeCompletions([3, 5], `step ${step}`, 400) },
];

/** Loss, log-probs, reference log-probs and gradient norm of a step. */
async function trainStep(core: LocalCore, step: number, o = optimiser) {
  const groups = groupsAt(step);
  const reference = core.hasReference ? await core.logProbs(groups, sampledScoring, "reference") : null;
  const scored = groups.map(({ prompt, completions }) => ({
    prompt,
    completions: completions.map((completion, i) =>
      reference === null ? completion : { ...completion, refLogProbs: reference.logProbs[i]! },
    ),
  }));
  const { loss, logProbs } = await core.forwardBackward(batchOf(scored));
  return { loss, logProbs, reference: reference?.logProbs ?? null, ...(await core.optimStep(o)) };
}

async function sample(core: LocalCore, trainsNext = false): Promise<SampledGroup[]> {
  const groups: SampledGroup[] = [];
  const o = { ...greedy, numGenerations: 3, temperature: 1, maxCompletionLength: 5, trainsNext };
  await core.sample([golden.prompt], o, (group) => groups.push(group));
  return groups;
}

const weightsIn = (folder: string) => {
  const weights = openWeights(folder);
  const all = weights.names.map((name) => [name, weights.readFloat32(name)] as const);
  weights.close();
  return new Map(all);
};

describe.each([
  ["with a reference", true, []],
  ["without one", false, []],
  ["with a frozen tower", true, ["vision"]],
] as const)("%s", (name, keepReference, freeze) => {
  const folder = join(scratch, name);

  test("save, load, two steps = four uninterrupted steps", async () => {
    const core = open({ freeze });
    core.freezeReference(keepReference);
    for (let step = 0; step < 2; step++) await trainStep(core, step);
    core.save(folder, true);
    const expected = [await trainStep(core, 2), await trainStep(core, 3)];
    const drawn = await sample(core);

    const resumed = open({ freeze });
    resumed.load(folder);
    expect(resumed.hasReference).toBe(keepReference);
    expect([await trainStep(resumed, 2), await trainStep(resumed, 3)]).toEqual(expected);
    expect(await sample(resumed)).toEqual(drawn);
    if (keepReference) expect(expected[0]!.reference).not.toEqual(expected[0]!.logProbs);

    const [last, again] = [join(scratch, `${name} last`), join(scratch, `${name} again`)];
    core.save(last, true);
    resumed.save(again, true);
    expect(readdirSync(again).sort()).toEqual(readdirSync(last).sort());
    for (const file of readdirSync(last)) {
      expect(readFileSync(join(again, file)).equals(readFileSync(join(last, file))), file).toBe(true);
    }
    expect(existsSync(join(last, "reference.safetensors"))).toBe(keepReference);
  });

  test("the moments and their count matter: without them later steps differ", async () => {
    const resumed = open({ freeze });
    resumed.load(folder);
    const expected = [await trainStep(resumed, 2), await trainStep(resumed, 3)];
    const forgetful = open({ freeze });
    forgetful.load(folder);
    forgetful.resetOptimizer();
    const found = [await trainStep(forgetful, 2), await trainStep(forgetful, 3)];
    expect(found[0]).toEqual(expected[0]);
    expect(found[1]!.loss).not.toBe(expected[1]!.loss);
  });
});

describe.each(["spider", "random"] as const)("under the mask %s", (importanceMasking) => {
  const masked: OptimStep = { ...optimiser, importanceMasking };

  test("save, load, two steps = four uninterrupted steps, to the bit", async () => {
    const core = open();
    for (let step = 0; step < 2; step++) await trainStep(core, step, masked);
    const folder = join(scratch, `masked ${importanceMasking}`);
    core.save(folder, true);
    const expected = [await trainStep(core, 2, masked), await trainStep(core, 3, masked)];
    const resumed = open();
    resumed.load(folder);
    expect([await trainStep(resumed, 2, masked), await trainStep(resumed, 3, masked)]).toEqual(expected);
    const [last, again] = [join(scratch, "masked last"), join(scratch, "masked again")];
    core.save(last, true);
    resumed.save(again, true);
    for (const file of ["model.safetensors", "optimizer.safetensors"])
      expect(readFileSync(join(again, file)).equals(readFileSync(join(last, file))), file).toBe(true);
  });

  test("moves fewer weights than a step without it, and refuses adapters", async () => {
    const [core, free] = [open(), open()];
    await trainStep(core, 0, masked);
    await trainStep(free, 0);
    const before = open().store.values;
    const kept = (of: LocalCore) =>
      Object.entries(before).reduce((sum, [name, { data }]) => {
        const now = of.store.values[name]!.data;
        return sum + (data as Float32Array).filter((value, i) => value === now[i]).length;
      }, 0);
    expect(kept(core)).toBeGreaterThan(kept(free));
    const adapters = open({ lora: { r: 2, lora_alpha: 4, target_modules: "all-linear" } });
    await expect(adapters.optimStep(masked)).rejects.toThrow("with model.lora: null");
  });
});

test.each([
  ["its rollouts", true],
  ["nothing", false],
])("with adapters, a step after %s is bit-identical with an evaluation before it", async (_, samples) => {
  const lora = { r: 4, lora_alpha: 8, target_modules: "all-linear" };
  const [evaluated, plain] = [open({ lora }), open({ lora })];
  for (const core of [evaluated, plain]) await trainStep(core, 0);
  await sample(evaluated);
  const steps = [evaluated, plain].map(async (core) => [
    samples && (await sample(core, true)),
    await trainStep(core, 1),
  ]);
  const [first, second] = await Promise.all(steps);
  expect(first).toEqual(second);
});

describe("the contents of a checkpoint", () => {
  test("a valid model folder: config, tokenizer files, float32 weights by name", async () => {
    const core = open();
    await trainStep(core, 0);
    const folder = join(scratch, "plain");
    core.save(folder, false);
    const files = readdirSync(golden.checkpoint);
    expect(readdirSync(folder).sort()).toEqual(files.sort());
    const config = (where: string) => JSON.parse(readFileSync(join(where, "config.json"), "utf8"));
    expect(config(folder)).toEqual(config(golden.checkpoint));
    const [before, after] = [weightsIn(golden.checkpoint), weightsIn(folder)];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    const opened = open({ modelFolder: folder });
    expect(await sample(opened)).toEqual(await sample(core));
    expect(() => opened.load(folder)).toThrow(UserError);
    expect(() => opened.load(folder)).toThrow("holds no training state to resume from");
  });

  test.each(caseOfEachFamily)("of %s: the weights as read, under their original names", (name) => {
    const { checkpoint } = goldenCase(name);
    const folder = join(scratch, `copy of ${name}`);
    open({ modelFolder: checkpoint }).save(folder, false);
    expect(weightsIn(folder)).toEqual(weightsIn(checkpoint));
    expect(readdirSync(folder).sort()).toEqual(readdirSync(checkpoint).sort());
  });

  test("saving changes nothing, and an untrained engine saves what it loaded", async () => {
    const core = open();
    const folder = join(scratch, "untrained");
    core.save(folder, true);
    expect(weightsIn(folder)).toEqual(weightsIn(golden.checkpoint));
    expect(existsSync(join(folder, "optimizer.safetensors"))).toBe(false);
    const resumed = open();
    resumed.load(folder);
    expect(await trainStep(resumed, 0)).toEqual(await trainStep(core, 0));
  });

  test("loading drops unused gradients and an earlier reference", async () => {
    const folder = join(scratch, "untrained");
    const core = open();
    core.freezeReference(true);
    await core.forwardBackward(batchOf(groupsAt(7)));
    core.load(folder);
    expect(core.hasReference).toBe(false);
    const fresh = open();
    expect(await trainStep(core, 0)).toEqual(await trainStep(fresh, 0));
  });

  test("a training folder without weights is refused", async () => {
    const damaged = join(scratch, "damaged");
    cpSync(join(scratch, "with a reference"), damaged, { recursive: true });
    rmSync(join(damaged, "model.safetensors"));
    expect(() => open().load(damaged)).toThrow(UserError);
  });
});

describe("the reference", () => {
  test("is unchanged while the policy is trained", async () => {
    const core = open();
    core.freezeReference(true);
    const first = (await core.logProbs(groupsAt(0), sampledScoring, "policy")).logProbs;
    expect((await core.logProbs(groupsAt(0), sampledScoring, "reference")).logProbs).toEqual(first);
    await trainStep(core, 0);
    expect((await core.logProbs(groupsAt(0), sampledScoring, "reference")).logProbs).toEqual(first);
    expect((await core.logProbs(groupsAt(0), sampledScoring, "policy")).logProbs).not.toEqual(first);
    core.freezeReference(true);
    expect((await core.logProbs(groupsAt(0), sampledScoring, "reference")).logProbs).not.toEqual(first);
  });

  test("does not exist unless requested", async () => {
    const core = open();
    expect(core.hasReference).toBe(false);
    await expect(core.logProbs(groupsAt(0), sampledScoring, "reference")).rejects.toThrow("no reference was frozen");
    core.freezeReference(true);
    core.freezeReference(false);
    expect(core.hasReference).toBe(false);
  });
});
