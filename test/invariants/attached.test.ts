/** What is trained beside a frozen model: gradients by pixels, the tower by itself, attachments, adversarial samples. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pixelGradient, pixelsOf, withPixelChange } from "../../src/core/pixels.ts";
import { integer, normal, randomKey } from "../../src/core/random.ts";
import type { Prompt } from "../../src/core/records.ts";
import { float32 } from "../../src/core/tensor-data.ts";
import type { OptimStep, TokenBatch } from "../../src/engine/engine.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { adversarialBatch } from "../../src/engine/pgd.ts";
import { openProcessor } from "../../src/models/index.ts";
import { goldenCase } from "../parity/golden.ts";
import { batchOf, engineOptions, listDifference, madeCompletions } from "./setup.ts";

const { checkpoint, prompt } = goldenCase("grouped_tied");
const options = engineOptions(checkpoint);
const step: OptimStep = { learningRate: 0.02, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };
const batch = batchOf([{ prompt, completions: madeCompletions([5, 8], "attached", 300) }], "supervised");
const folder = mkdtempSync(join(tmpdir(), "viva-attached-"));
let engine: LocalEngine;
let square: Prompt;
let processor: Awaited<ReturnType<typeof openProcessor>>;
beforeAll(async () => {
  processor = await openProcessor(checkpoint);
  engine = await openLocalEngine(options, processor);
  const data = Uint8Array.from({ length: 56 * 56 * 3 }, (_, i) => integer(randomKey(4, "square"), i, 256));
  const ref = { path: "made", pixels: { width: 56, height: 56, channels: 3, data } as const };
  const content = [
    { type: "image", image: ref },
    { type: "text", text: "What is shown?" },
  ] as const;
  square = await processor.encode([{ role: "user", content }]);
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const scores = async (on = engine) => (await on.policy.logProbs(batch.groups, batch.scoring)).logProbs;
const image = prompt.images[0]!;
const layout = () => processor.pixelLayout!(image.grid);

/** The batch with numbers of its first image's patches changed. */
function withPatches(change: (patches: Float32Array) => void, tag: string): TokenBatch {
  const patches = image.patches.slice();
  change(patches);
  const images = prompt.images.map((own) => (own === image ? { ...own, patches, sha256: `${own.sha256}${tag}` } : own));
  return { ...batch, groups: batch.groups.map((group) => ({ ...group, prompt: { ...prompt, images } })) };
}

test("a layout gives back the pixels that patches were cut from, and a change of zero changes no bit", () => {
  const [own] = square.images;
  const layout = processor.pixelLayout!(own!.grid);
  const pixels = pixelsOf(own!.patches, layout);
  for (const [i, byte] of own!.pixels!.data.entries()) expect(Math.abs(pixels[i]! - byte / 255)).toBeLessThan(1e-5);
  const same = withPixelChange(own!, new Float32Array(pixels.length), layout, "same");
  expect(same.patches).toEqual(own!.patches);
  const brighter = withPixelChange(own!, new Float32Array(pixels.length).fill(0.25), layout, "brighter");
  const seen = pixelsOf(brighter.patches, layout);
  for (const [i, value] of seen.entries()) expect(value).toBeCloseTo(pixels[i]! + 0.25, 4);
});

test("gradients by pixels are those of central differences, and leave gradients and weights as they are", async () => {
  const before = await scores();
  const { loss, gradients } = await engine.gradients!(batch, "pixels");
  const gradient = gradients.get(image.sha256)!;
  expect(gradient).toHaveLength(image.patches.length);
  const direction = image.patches.map((_, i) => normal(randomKey(1, "direction"), i));
  const along = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
  const addTo = (patches: Float32Array, by: number) => {
    for (const [i, value] of direction.entries()) patches[i]! += by * value;
  };
  const lossAt = async (by: number) => {
    const moved = withPatches((patches) => addTo(patches, by), `${by}`);
    return (await engine.gradients!(moved, "pixels")).loss;
  };
  const difference = ((await lossAt(0.01)) - (await lossAt(-0.01))) / 0.02;
  expect(Math.abs(along - difference)).toBeLessThan(0.02 * Math.abs(difference) + 1e-4);
  expect(await engine.optimStep(step)).toEqual({ gradNorm: 0 }); // nothing was accumulated
  expect(listDifference(await scores(), before)).toBe(0);
  expect((await engine.gradients!(batch, "pixels")).loss).toBe(loss);
});

test("gradients by weights are those that training accumulates; an unknown weight is refused", async () => {
  const name = "visual.blocks.0.mlp.fc1.bias";
  const { gradients } = await engine.gradients!(batch, [name]);
  const norm = Math.hypot(...gradients.get(name)!);
  expect(norm).toBeGreaterThan(0);
  const only = await openLocalEngine(options, processor);
  await only.forwardBackward(batch);
  expect((await only.optimStep({ ...step, learningRate: 0 })).gradNorm).toBeGreaterThan(norm);
  await only.close();
  await expect(engine.gradients!(batch, ["no.such.weight"])).rejects.toThrow('no weight "no.such.weight"');
});

test("samples against the model stay within ε and raise its loss; ε 0 is the image itself", async () => {
  const clean = (await engine.gradients!(batch, "pixels")).loss;
  const o = { epsilon: 8 / 255, alpha: 4 / 255, steps: 3 };
  const attacked = await adversarialBatch(engine, processor, batch, o);
  const moved = attacked.groups[0]!.prompt.images[0]!;
  const [from, to] = [image, moved].map((own) => pixelsOf(own.patches, layout()));
  const largest = Math.max(...from!.map((value, i) => Math.abs(value - to![i]!)));
  expect(largest).toBeGreaterThan(0.5 * o.epsilon);
  expect(largest).toBeLessThan(o.epsilon + 1e-5);
  expect(to!.every((value) => value > -1e-5 && value < 1 + 1e-5)).toBe(true);
  expect((await engine.gradients!(attacked, "pixels")).loss).toBeGreaterThan(clean);
  const none = await adversarialBatch(engine, processor, batch, { ...o, epsilon: 0 });
  expect(none.groups[0]!.prompt.images[0]!.patches).toEqual(image.patches);
});

test("a visual prompt is trained without a change to the model, and lowers the loss", async () => {
  const before = await scores();
  const [own] = square.images;
  const layout = processor.pixelLayout!(own!.grid);
  const { width, height } = layout;
  const { completions } = batch.groups[0]!;
  const shown = (patches: Float32Array, tag: string): TokenBatch => {
    const images = [{ ...own!, patches, sha256: `${own!.sha256}${tag}` }];
    return { ...batch, groups: [{ prompt: { ...square, images }, completions }] };
  };
  const start = (await engine.gradients!(shown(own!.patches, ""), "pixels")).loss;
  const prompted = await engine.attach!("visual_prompt", { size: width, form: "full", width: 1 });
  expect(width).toBe(height);
  const shape = [1, 3 * width * height];
  const zeros = () => float32(shape, new Float32Array(shape[1]!));
  let loss = Number.NaN;
  for (let i = 0; i < 6; i++) {
    const change = (await prompted.forward(zeros())).data as Float32Array;
    if (i === 0) expect(change.every((value) => value === 0)).toBe(true);
    const { patches } = withPixelChange(own!, change, layout, "");
    const found = await engine.gradients!(shown(patches, `step${i}`), "pixels");
    loss = found.loss;
    if (i === 0) expect(loss).toBe(start); // P = 0 is the frozen model
    const gradient = found.gradients.get(`${own!.sha256}step${i}`)!;
    await prompted.backward(zeros(), float32(shape, pixelGradient(gradient, layout)));
    prompted.step(step);
  }
  expect(loss).toBeLessThan(start);
  expect(listDifference(await scores(), before)).toBe(0);
});

test("attachments go on from a checkpoint as if never stopped, and end with their stage", async () => {
  const config = { width: 4, projection: 3 };
  const x = float32(
    [5, 4],
    Array.from({ length: 20 }, (_, i) => normal(randomKey(2, "x"), i)),
  );
  const train = async (head: Awaited<ReturnType<NonNullable<LocalEngine["attach"]>>>, steps: number) => {
    for (let i = 0; i < steps; i++) {
      const y = await head.forward(x);
      await head.backward(x, y); // of ½ Σ y²
      head.step(step);
    }
    return (await head.forward(x)).data;
  };
  const [on, other] = [await openLocalEngine(options, processor), await openLocalEngine(options, processor)];
  const head = await on.attach!("projection_head", config);
  await train(head, 3);
  await on.save(folder, { training: true });
  expect(existsSync(join(folder, "attachments.safetensors"))).toBe(true);
  const unbroken = await train(head, 3);
  await other.load(folder);
  expect(await train(await other.attach!("projection_head", config), 3)).toEqual(unbroken);
  await other.load(folder);
  await expect(openAnother(other)).rejects.toThrow("it is of other settings");
  await on.resetOptimizer();
  expect(await train(await on.attach!("projection_head", config), 6)).toEqual(unbroken); // begun anew, from the seed
  await on.close();
  await other.close();
});

async function openAnother(on: LocalEngine): Promise<unknown> {
  await on.resetOptimizer();
  await on.load(folder);
  return on.attach!("projection_head", { width: 4, projection: 7 });
}

test("the tower by itself: a step against a gradient of its features lowers what they are weighed by", async () => {
  const tower = engine.tower!;
  const images = [...prompt.images];
  const features = await tower.encode(images, { training: true });
  const weights = features.map((own, k) => own.map((_, i) => normal(randomKey(3, "features", k), i)));
  const weighed = (all: readonly Float32Array[]) =>
    all.reduce((sum, own, k) => sum + own.reduce((part, value, i) => part + value * weights[k]![i]!, 0), 0);
  const before = weighed(features);
  await tower.backward(weights);
  const rate = 1e-5;
  // One step of Adam moves every weight by the rate against its gradient's sign.
  await engine.optimStep({ ...step, learningRate: rate });
  expect(weighed(await tower.encode(images, { training: false }))).toBeLessThan(before);
  await expect(tower.backward(weights)).rejects.toThrow("encoded nothing to train on");
});
