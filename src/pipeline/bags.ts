/**
 * Bags of patch features: made of images by a frozen tower, and one number learned of each. Every way of pooling is trained
 * beside the others on the same bags; an arm is one safetensors file, written whole after every epoch.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import type { Example, RawImage } from "../core/records.ts";
import { attach, loadAttached, saveAttached } from "../engine/attached.ts";
import { numericErrors } from "../evaluate/metrics/numeric.ts";
import { replaceFile } from "../runs/durable.ts";
import { openCheckpoint } from "../session/checkpoint.ts";
import type { SourceOptions } from "../session/sources.ts";
import {
  BAGS_FILE,
  type Bag,
  bagEpoch,
  imageTiles,
  predictBags,
  readBags,
  targetScale,
  writeBag,
} from "../train/bags.ts";
import { labelWeights } from "../train/label-distribution.ts";
import { meanFeatures } from "../train/tower-features.ts";

export type Pool = "attention" | "mean" | "max";
export type Sampling = "none" | "inverse" | "sqrt_inverse";

export interface BagSettings {
  readonly hidden: number;
  readonly bagSize: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly learningRate: number;
  /** Of the histogram of targets; null: a tenth of their range. */
  readonly binWidth: number | null;
  readonly smooth: boolean;
  /** Targets from here on count as high; null: the training targets' highest tenth. */
  readonly high: number | null;
}

export interface BagArm {
  readonly pool: Pool;
  readonly sampling: Sampling;
  readonly seed: number;
}

/** On the test bags; recall and specificity are those of the high targets, null where there are none, or no others. */
export interface BagResult extends BagArm {
  readonly mae: number;
  readonly r2: number;
  readonly recall_high: number | null;
  readonly specificity_high: number | null;
}

export interface BagResults {
  readonly train: number;
  readonly test: number;
  readonly high: number;
  readonly arms: readonly BagResult[];
}

export interface TrainBagsOptions {
  readonly settings: BagSettings;
  readonly arms: readonly BagArm[];
  readonly out: string;
  readonly resume: boolean;
  readonly signal?: AbortSignal;
  readonly onEpoch?: (arm: string, done: number, of: number, loss: number) => void;
}

/** Trains all arms and measures them on the split "test". */
export async function trainBags(folder: string, o: TrainBagsOptions): Promise<BagResults> {
  const bags = readBags(folder);
  const [train, test] = ["train", "test"].map((split) => bags.filter((bag) => bag.split === split));
  if (train!.length === 0 || test!.length === 0)
    throw new UserError(`${folder}: bags of the splits train and test are needed`);
  const targets = train!.map(({ target }) => target);
  const high = o.settings.high ?? [...targets].sort((a, b) => a - b)[Math.floor(0.9 * targets.length)]!;
  makeFolder(o.out);
  const arms: BagResult[] = [];
  for (const arm of o.arms) arms.push({ ...arm, ...(await trainArm(arm, train!, test!, high, o)) });
  const results = { train: train!.length, test: test!.length, high, arms };
  replaceFile(join(o.out, "bags.json"), `${JSON.stringify({ folder, settings: o.settings, ...results }, null, 2)}\n`);
  return results;
}

async function trainArm(
  { pool, sampling, seed }: BagArm,
  train: readonly Bag[],
  test: readonly Bag[],
  high: number,
  { settings, out, resume, signal, onEpoch }: TrainBagsOptions,
): Promise<Omit<BagResult, keyof BagArm>> {
  const name = `${pool}-${sampling}-${seed}`;
  const path = join(out, `${name}.safetensors`);
  if (existsSync(path) && !resume) throw new UserError(`${path} is there already: choose another --out, or --resume`);
  const head = await attach("bag_pool", { width: train[0]!.width, hidden: settings.hidden, pool }, { seed });
  try {
    const described = JSON.stringify({ ...settings, epochs: null, bags: train.length });
    let epoch = 0;
    if (existsSync(path)) {
      const stored = loadAttached(path, { bag_pool: head });
      if (stored["settings"] !== described) throw new UserError(`${path} was trained with other settings: start anew`);
      epoch = Number(stored["epoch"]);
    }
    const targets = train.map(({ target }) => target);
    const scale = targetScale(targets);
    const weights = labelWeights(targets, {
      binWidth: settings.binWidth ?? Math.max(1e-9, (Math.max(...targets) - Math.min(...targets)) / 10),
      power: { none: 0, inverse: 1, sqrt_inverse: 0.5 }[sampling],
      smooth: settings.smooth,
    });
    const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };
    const optimiser = { ...adam, learningRate: settings.learningRate };
    for (; epoch < settings.epochs; epoch++) {
      signal?.throwIfAborted();
      const { bagSize, batchSize } = settings;
      const loss = await bagEpoch(head, { bags: train, weights, scale, bagSize, batchSize, optimiser, seed, epoch });
      const metadata = { settings: described, epoch: String(epoch + 1), scale: JSON.stringify(scale) };
      saveAttached(path, { bag_pool: head }, { training: true, metadata });
      onEpoch?.(name, epoch + 1, settings.epochs, loss);
    }
    return measure(await predictBags(head, test, scale), test, high);
  } finally {
    await head.close();
  }
}

function measure(predictions: readonly number[], test: readonly Bag[], high: number) {
  const { mae, r2 } = numericErrors(
    test.map(({ target }) => target),
    predictions,
  );
  const share = (isHigh: boolean) => {
    const own = test.flatMap(({ target }, i) =>
      target >= high === isHigh ? [predictions[i]! >= high === isHigh] : [],
    );
    return own.length === 0 ? null : own.filter((right) => right).length / own.length;
  };
  return { mae, r2, recall_high: share(true), specificity_high: share(false) };
}

export interface EncodeBagsOptions extends SourceOptions {
  /** By split. */
  readonly examples: Readonly<Record<string, readonly Example[]>>;
  /** Patches in a row and in a column. */
  readonly tiles: number;
  readonly out: string;
  readonly onBag?: (done: number, of: number) => void;
}

/** Cuts every example's image into tiles, encodes each by the checkpoint's tower, and writes a folder of bags. */
export async function encodeBags(checkpoint: string, o: EncodeBagsOptions): Promise<number> {
  if (existsSync(join(o.out, BAGS_FILE))) throw new UserError(`${o.out} holds bags already: choose another --out`);
  const { engine, processor } = await openCheckpoint(checkpoint, o);
  try {
    const { tower } = engine;
    if (tower === undefined) throw new UserError("bags are encoded by a model that is computed on this machine");
    makeFolder(join(o.out, "bags"));
    const all = Object.entries(o.examples).flatMap(([split, list]) => list.map((example) => ({ split, example })));
    const rows: string[] = [];
    for (const [at, { split, example }] of all.entries()) {
      o.signal?.throwIfAborted();
      const target = example.target?.value;
      if (target === undefined)
        throw new UserError(`example "${example.id}" asks for no number: bags need numeric answers`);
      const { tiles, coords } = await imageTiles(example.images[0]!, o.tiles);
      const asked = tiles.map((pixels: RawImage, i) => processor.encodeImage({ path: `${example.id}#${i}`, pixels }));
      const images = (await Promise.all(asked)).map(({ image }, i) => ({ ...image, sha256: `${image.sha256}:${i}` }));
      const features = await tower.encode(images, { training: false });
      const file = `bags/${at}.safetensors`;
      writeBag(
        join(o.out, file),
        features.map((own) => meanFeatures(own, tower.width)),
        coords,
      );
      rows.push(JSON.stringify({ id: example.id, subject_id: example.subjectId, split, target, file }));
      o.onBag?.(at + 1, all.length);
    }
    replaceFile(join(o.out, BAGS_FILE), rows.map((row) => `${row}\n`).join(""));
    return rows.length;
  } finally {
    await engine.close();
  }
}
