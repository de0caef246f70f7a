/**
 * An image of a trained tower is encoded once for sampling and training; saved activations that do not match are not
 * used.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Prompt } from "../../src/core/records.ts";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { caseOfEachFamily, goldenCase } from "../parity/golden.ts";
import { batchOf, gradientDifference, madeCompletions } from "./setup.ts";

const sampling = { numGenerations: 2, maxCompletionLength: 3, temperature: 1, topP: 1, topK: 0, seed: 1, step: 1 };
const optimiser = { learningRate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };

/** The prompt with copies of its images, under other names if one is given. */
function copyOf(prompt: Prompt, name = ""): Prompt {
  const images = prompt.images.map((image) => {
    return { ...image, sha256: image.sha256 + name, patches: Float32Array.from(image.patches) };
  });
  return { ...prompt, images };
}

function erase({ images }: Prompt): void {
  for (const { patches } of images) patches.fill(0);
}

const cases = caseOfEachFamily.flatMap((name) => [
  { name, trained: "all weights", lora: null },
  { name, trained: "adapters", lora: { r: 4, lora_alpha: 8, target_modules: "all-linear" } },
]);

describe.each(cases)("$name, $trained", ({ name, lora }) => {
  const golden = goldenCase(name);
  /** With non-zero adapters: initially B = 0, so the tower's get no gradient. */
  const open = async () => {
    const core = new LocalCore({
      ...{ modelFolder: golden.checkpoint, initialise: "pretrained", seed: 3, freeze: [], lora },
      ...{ threads: 1, microBatchTokens: 4096, rows: 8 },
    });
    if (lora === null) return core;
    await core.forwardBackward(batch(copyOf(golden.prompt)));
    await core.optimStep(optimiser);
    return core;
  };
  const sample = (core: LocalCore, prompt: Prompt, trainsNext: boolean) =>
    core.sample([prompt], { ...sampling, rows: 2, stopTokenIds: [], trainsNext }, () => {});
  const batch = (prompt: Prompt) => batchOf([{ prompt, completions: madeCompletions([5, 3, 4], "once", 300) }], "clip");
  const gradients = async (core: LocalCore, prompt: Prompt) => {
    await core.forwardBackward(batch(prompt));
    return new Map(
      [...core.store.trainable].map((weight) => [weight, Float32Array.from(core.store.gradient(weight)!)]),
    );
  };

  /** What others are compared with is computed on one core, which begins anew each time. */
  let reference: { readonly core: LocalCore; readonly beginning: string } | null = null;
  const openReference = async () => {
    if (reference === null) {
      const core = await open();
      const beginning = mkdtempSync(join(tmpdir(), "viva-images-once-"));
      core.save(beginning, true);
      reference = { core, beginning };
    }
    reference.core.load(reference.beginning);
    return reference.core;
  };
  afterAll(async () => {
    await reference?.core.close();
    if (reference !== null) rmSync(reference.beginning, { recursive: true });
  });
  let fresh: ReturnType<typeof gradients> | null = null;
  const freshGradients = () => {
    fresh ??= openReference().then((core) => gradients(core, copyOf(golden.prompt)));
    return fresh;
  };

  test("gradients equal those of encoding twice, and the pixels are not read again", async () => {
    const again = await openReference();
    await sample(again, copyOf(golden.prompt, "2"), true); // for the same merged weights as below
    const expected = await gradients(again, copyOf(golden.prompt));
    const core = await open();
    const prompt = copyOf(golden.prompt);
    await sample(core, prompt, true);
    erase(prompt);
    expect(gradientDifference(await gradients(core, prompt), expected).difference).toBe(0);
  });

  test("nor are they where only some of what was sampled is trained on", async () => {
    const inverted = copyOf(golden.prompt, "2");
    for (const { patches } of inverted.images) for (const [i, value] of patches.entries()) patches[i] = -value;
    const sampled = async (core: LocalCore, trained: Prompt) => {
      const o = { ...sampling, rows: 2, stopTokenIds: [], trainsNext: true };
      await core.sample([inverted, trained, copyOf(golden.prompt, "3")], o, () => {});
    };
    const again = await openReference();
    await sampled(again, copyOf(golden.prompt, "4"));
    const expected = await gradients(again, copyOf(golden.prompt));
    const core = await open();
    const prompt = copyOf(golden.prompt);
    await sampled(core, prompt);
    const sent = copyOf(prompt);
    erase(sent);
    expect(gradientDifference(await gradients(core, sent), expected).difference).toBeLessThan(1e-5);
  });

  test.each([
    [
      "a second pass",
      (core: LocalCore, prompt: Prompt) => sample(core, prompt, true).then(() => gradients(core, prompt)),
    ],
    ["other images", (core: LocalCore, prompt: Prompt) => sample(core, copyOf(prompt, "2"), true)],
    [
      "weights that moved",
      (core: LocalCore, prompt: Prompt) =>
        sample(core, prompt, true).then(async () => void (await core.optimStep(optimiser))),
    ],
    ["sampling that nothing is trained on", (core: LocalCore, prompt: Prompt) => sample(core, prompt, false)],
  ] as const)("after %s the pixels are read again", async (_, before) => {
    const prompt = copyOf(golden.prompt);
    const expected = await freshGradients();
    const core = await open();
    await before(core, prompt);
    core.resetOptimizer(); // also clears accumulated gradients
    erase(prompt);
    expect(gradientDifference(await gradients(core, prompt), expected).difference).toBeGreaterThan(0.01);
  });
});
