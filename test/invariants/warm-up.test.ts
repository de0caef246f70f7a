/** Warm-up of the tower and adversarial samples: what they change, what they leave, and that a stopped stage goes on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { promptStyle } from "../../src/answers/prompts.ts";
import { integer, randomKey } from "../../src/core/random.ts";
import type { Example } from "../../src/core/records.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openSafetensors } from "../../src/io/safetensors.ts";
import { openProcessor } from "../../src/models/index.ts";
import { stageSchema } from "../../src/recipes/stages.ts";
import type { TrainingContext } from "../../src/train/context.ts";
import type { SftSettings, WarmUpSettings } from "../../src/train/settings.ts";
import { sftStep } from "../../src/train/sft.ts";
import { viewOf } from "../../src/train/views.ts";
import { warmUpStep } from "../../src/train/warm-up.ts";
import { goldenCase } from "../parity/golden.ts";
import { engineOptions } from "./setup.ts";

const { checkpoint } = goldenCase("grouped_tied");
const options = engineOptions(checkpoint);
const folder = mkdtempSync(join(tmpdir(), "viva-warm-up-"));
let processor: Awaited<ReturnType<typeof openProcessor>>;
const engines: LocalEngine[] = [];
beforeAll(async () => {
  processor = await openProcessor(checkpoint);
});
afterAll(async () => {
  for (const engine of engines) await engine.close();
  rmSync(folder, { recursive: true });
});

const examples = Array.from({ length: 8 }, (_, e): Example => {
  const data = Uint8Array.from({ length: 56 * 56 }, (_, i) => integer(randomKey(e, "film"), i, 128) + (e % 2) * 100);
  const pixels = { width: 56, height: 56, channels: 1, data } as const;
  const answer = e % 2 === 0 ? "no" : "yes";
  const named = { id: `e${e}`, subjectId: `s${e}`, images: [{ path: `film ${e}`, pixels }], answer };
  return { ...named, question: "Is it bright?", answerType: "closed", choices: [], meta: {} };
});

type Numbers = Readonly<Record<string, number>>;

const stageOf = <T>(given: object) => stageSchema.parse(given) as unknown as T;
const warmUp = (more: object = {}) =>
  stageOf<WarmUpSettings>({ kind: "warm_up", steps: 4, batch_size: 4, projection: 8, learning_rate: 0.01, ...more });

async function open(): Promise<LocalEngine> {
  const engine = await openLocalEngine(options, processor);
  engines.push(engine);
  return engine;
}

function contextOf(engine: LocalEngine): TrainingContext {
  const shared = { engine, processor, examples, prompt: promptStyle("plain"), seed: 5, stage: 0, steps: 4 };
  const collect = async () => {
    throw new Error("nothing is sampled");
  };
  return { ...shared, onBadImage: "error", onSkip: () => {}, collect };
}

async function run(engine: LocalEngine, settings: WarmUpSettings, from: number, to: number) {
  const metrics: Numbers[] = [];
  for (let index = from; index < to; index++) {
    metrics.push(
      (await warmUpStep(contextOf(engine), settings, examples, { index, step: index + 1 })).metrics as Numbers,
    );
  }
  return metrics;
}

async function weightsOf(engine: LocalEngine, name: string): Promise<ReadonlyMap<string, Float32Array>> {
  await engine.save(join(folder, name), { training: false });
  const file = openSafetensors(join(folder, name, "model.safetensors"));
  const weights = new Map(file.names.map((weight) => [weight, file.readFloat32(weight)] as const));
  file.close();
  return weights;
}

/** Norm of the difference, all weights together. */
function distance(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  let squares = 0;
  for (const [name, values] of a) for (const [i, value] of values.entries()) squares += (value - b.get(name)![i]!) ** 2;
  return Math.sqrt(squares);
}

test("warming up lowers the loss and moves the tower alone; a stopped stage goes on as if it had not", async () => {
  const [engine, second] = [await open(), await open()];
  const before = await weightsOf(engine, "before");
  const settings = warmUp({ meta: { after: 1, batch_size: 3, inner_steps: 3 } });
  const first = await run(engine, settings, 0, 2);
  await engine.save(join(folder, "stopped"), { training: true });
  const rest = await run(engine, settings, 2, 4);
  expect(first[0]!["warm_up/transfer"]).toBeUndefined();
  expect(rest[0]!["warm_up/transfer"]).toBeGreaterThan(0);
  expect(rest[1]!["warm_up/contrastive"]!).toBeLessThan(first[0]!["warm_up/contrastive"]!);
  const after = await weightsOf(engine, "after");
  for (const [name, values] of after) {
    const moved = values.some((value, i) => value !== before.get(name)![i]);
    expect(moved, name).toBe(name.startsWith("visual."));
  }
  await second.load(join(folder, "stopped"));
  const resumed = await run(second, settings, 2, 4);
  expect(resumed.map(({ loss }) => loss)).toEqual(rest.map(({ loss }) => loss));
  expect(await weightsOf(second, "resumed")).toEqual(after);
});

test("a meta-transfer of weight 0 is the warm-up alone; MeTSK's loss runs without a head", async () => {
  const [plain, meta] = [await open(), await open()];
  const alone = await run(plain, warmUp(), 0, 2);
  const weighed = await run(meta, warmUp({ meta: { batch_size: 3, alpha: 0 } }), 0, 2);
  // AdamW makes much of the rounding of gradients that are almost 0, so that losses part a little after its first update.
  for (const [step, { loss }] of weighed.entries()) expect(loss).toBeCloseTo(alone[step]!["loss"]!, [5, 2][step]!);
  const [before, after] = [await weightsOf(await open(), "begun"), await weightsOf(plain, "plain")];
  expect(distance(await weightsOf(meta, "alpha"), after)).toBeLessThan(0.05 * distance(before, after));
  const [metsk] = await run(plain, warmUp({ loss: "metsk", projection: 0 }), 2, 3);
  expect(Number.isFinite(metsk!["loss"])).toBe(true);
});

test("views of no strength are the image; others move it without mirroring", async () => {
  const { image } = await processor.encodeImage(examples[0]!.images[0]!);
  const layout = processor.pixelLayout!(image.grid);
  const still = { shift: 0, scale: 0, intensity: 0, noise: 0 };
  const key = randomKey(1, "view");
  expect(viewOf(image, layout, still, key, "a").patches).toEqual(image.patches);
  const half = 56 / 2;
  const left = Uint8Array.from({ length: 56 * 56 }, (_, i) => (i % 56 < half ? 255 : 0));
  const sided = await processor.encodeImage({
    path: "left",
    pixels: { width: 56, height: 56, channels: 1, data: left },
  });
  for (let draw = 0; draw < 20; draw++) {
    const strong = { shift: 0.1, scale: 0.15, intensity: 0.2, noise: 0.05 };
    const { patches } = viewOf(sided.image, layout, strong, randomKey(draw, "view"), "b");
    const sums = [0, 0];
    for (const [i, source] of layout.sources.entries()) {
      sums[Math.floor(source / 3) % 56 < half ? 0 : 1]! += patches[i]!;
    }
    expect(sums[0]!).toBeGreaterThan(sums[1]!);
  }
});

test("adversarial samples: ε 0 doubles the loss by λ 1, a larger ε adds more", async () => {
  const stepOf = async (adversarial: object | null) => {
    const engine = await open();
    const settings = stageOf<SftSettings>({ kind: "sft", steps: 4, batch_size: 4, learning_rate: 0.01, adversarial });
    return (await sftStep(contextOf(engine), settings, { index: 0, step: 1 })).metrics as Numbers;
  };
  const plain = (await stepOf(null))["loss"]!;
  const still = await stepOf({ epsilon: 0, lambda: 1 });
  expect(still["loss"]).toBeCloseTo(2 * plain, 4);
  expect(still["adversarial/loss"]).toBeCloseTo(plain, 5);
  const moved = await stepOf({ epsilon: 0.05, alpha: 0.03, lambda: 0.5 });
  expect(moved["adversarial/clean_loss"]).toBeCloseTo(plain, 5);
  expect(moved["adversarial/loss"]!).toBeGreaterThan(plain);
});
