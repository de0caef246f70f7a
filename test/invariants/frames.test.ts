/**
 * Frames of an image do not attend to each other: an image of many frames equals as many single-frame images, in runs
 * of bounded size.
 */
import { afterAll, expect, test } from "vitest";
import { normal, randomKey } from "../../src/core/random.ts";
import type { ImageFeatures } from "../../src/core/records.ts";
import { encodeImages, framesOf } from "../../src/engine/local/vision-runner.ts";
import { maxDifference } from "../parity/golden.ts";
import { batchOf, differentiate, gradientDifference, madeCompletions, openGolden } from "./setup.ts";

const on = openGolden("smolvlm_several");
afterAll(() => on.compute.close());

/** Each frame as a separate image. */
const apart = (image: ImageFeatures): ImageFeatures[] =>
  framesOf(image).map(({ patches, grid, index }) => ({ ...image, patches, grid, sha256: `${image.sha256}/${index}` }));

test("features of 300 frames, which take two runs, equal those of 300 images", async () => {
  const key = randomKey(4, "frames");
  const patches = Float32Array.from({ length: 300 * 16 * on.model.vision.patchSize }, (_, i) => normal(key, i));
  const image: ImageFeatures = { patches, grid: [300, 4, 4], sha256: "frames", width: 1, height: 1 };
  const saving = { trainable: new Set(Object.keys(on.model.weights)), budget: { bytes: 0 } };
  const together = await encodeImages(on.compute, on.values, [image], { saving });
  expect(together.runs.length).toBe(2);
  const found = together.features.get("frames")!;
  const size = 4 * on.model.language.width;
  expect(found.length).toBe(300 * size);
  const separate = await encodeImages(on.compute, on.values, apart(image).reverse());
  for (const frame of [0, 1, 255, 256, 299]) {
    const expected = separate.features.get(`frames/${frame}`)!;
    expect(maxDifference(found.subarray(frame * size, (frame + 1) * size), expected), `${frame}`).toBeLessThan(1e-5);
  }
});

test("loss and gradients equal those of the frames as separate images", async () => {
  const { prompt } = on.golden;
  const completions = madeCompletions([5, 3], "frames", on.model.language.vocabularySize);
  const split = { ...prompt, images: prompt.images.flatMap(apart) };
  expect(split.images.length).toBe(11);
  const whole = await differentiate(on, [batchOf([{ prompt, completions }])]);
  const parts = await differentiate(on, [batchOf([{ prompt: split, completions }])]);
  expect(Math.abs(whole.loss - parts.loss)).toBeLessThan(1e-5);
  const { difference, name } = gradientDifference(parts.gradients, whole.gradients);
  expect(difference, name).toBeLessThan(1e-3);
});
