/** A prompt's vector is the mean of what transformers' tower gives for its images, in every family. */
import { afterAll, describe, expect, test } from "vitest";
import { openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openModel, openProcessor } from "../../src/models/index.ts";
import { type CaseName, caseOfEachFamily, goldenCase, maxDifference } from "../parity/golden.ts";

const several = ["two_images", "windows_two_images", "deepstack_two_images"] as const satisfies readonly CaseName[];

describe.each([...caseOfEachFamily, ...several])("%s", async (name) => {
  const { checkpoint, prompt, tensor } = goldenCase(name);
  const { width, featureLevels } = openModel(checkpoint).language;
  const engine = await openLocalEngine(
    {
      ...{ modelFolder: checkpoint, initialise: "pretrained", seed: 1, freeze: [], threads: 1 },
      ...{ microBatchTokens: 1024, rows: 4, lora: { r: 2, lora_alpha: 4, target_modules: ["q_proj"] } },
    },
    await openProcessor(checkpoint),
  );
  afterAll(() => engine.close());

  test("the mean of the tower's output over all image tokens", async () => {
    const [found] = await engine.policy.embed([prompt]);
    const { data } = tensor("vision.output");
    const rows = data.length / (featureLevels * width);
    const mean = Array.from({ length: width }, (_, i) => {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += data[row * featureLevels * width + i]!;
      return sum / rows;
    });
    expect(maxDifference(found!, mean)).toBeLessThan(1e-4);
    expect(Math.max(...mean.map(Math.abs))).toBeGreaterThan(1e-2);
  });

  test("each prompt by itself; zeros without an image", async () => {
    const one = { ...prompt, images: prompt.images.slice(0, 1) };
    const none = { ...prompt, images: [] };
    const [alone] = await engine.policy.embed([one]);
    const all = await engine.policy.embed([none, prompt, one]);
    expect(all[2]).toEqual(alone);
    expect(all[0]).toEqual(new Float32Array(width));
  });
});
