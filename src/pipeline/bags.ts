/**
 * Bags of patch features: made of images by a frozen tower, and one number learned of each. Every way of learning it is trained
 * beside the others on the same bags.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import type { Example, RawImage } from "../core/records.ts";
import { replaceFile } from "../runs/durable.ts";
import { openCheckpoint } from "../session/checkpoint.ts";
import { hashCheckpoint } from "../session/content-hashes.ts";
import type { SourceOptions } from "../session/sources.ts";
import { BAGS_FILE, featureScale, imageTiles, readBags, scaledBags, writeBag } from "../train/bags.ts";
import { meanFeatures } from "../train/tower-features.ts";
import {
  type BagArm,
  type BagResult,
  type OpenedReader,
  type ReaderSettings,
  type TrainArmOptions,
  trainArm,
} from "./bag-arms.ts";

export type { BagArm, BagResult, BagSettings, Pool, ReaderSettings, Sampling } from "./bag-arms.ts";

export interface BagResults {
  readonly train: number;
  readonly test: number;
  readonly high: number;
  readonly arms: readonly BagResult[];
}

export interface TrainBagsOptions extends Omit<TrainArmOptions, "reader" | "high" | "features">, SourceOptions {
  readonly arms: readonly BagArm[];
  /** The model that arms of tokens are read by. */
  readonly reader: (ReaderSettings & { readonly checkpoint: string }) | null;
}

/** Trains all arms and measures them on the split "test". */
export async function trainBags(folder: string, { arms, reader: asked, ...o }: TrainBagsOptions): Promise<BagResults> {
  const bags = readBags(folder);
  const of = (wanted: string) => bags.filter(({ split }) => split === wanted);
  if (of("train").length === 0 || of("test").length === 0)
    throw new UserError(`${folder}: bags of the splits train and test are needed`);
  const features = featureScale(of("train"));
  const [train, test] = [scaledBags(of("train"), features), scaledBags(of("test"), features)];
  const targets = train.map(({ target }) => target);
  const high = o.settings.high ?? [...targets].sort((a, b) => a - b)[Math.floor(0.9 * targets.length)]!;
  makeFolder(o.out);
  const reader = asked === null ? null : await openReader(asked, o);
  try {
    const found: BagResult[] = [];
    for (const arm of arms) found.push(await trainArm(arm, train, test, { ...o, reader, high, features }));
    const results = { train: train.length, test: test.length, high, arms: found };
    const about = { folder, settings: o.settings, ...(asked === null ? {} : { reader: asked }) };
    replaceFile(join(o.out, "bags.json"), `${JSON.stringify({ ...about, ...results }, null, 2)}\n`);
    return results;
  } finally {
    await reader?.engine.close();
  }
}

/** Opens the model that reads bags; UserError for one that cannot be differentiated here. */
async function openReader(
  { checkpoint, ...settings }: NonNullable<TrainBagsOptions["reader"]>,
  o: SourceOptions,
): Promise<OpenedReader> {
  const { engine, processor, folder } = await openCheckpoint(checkpoint, o);
  if (engine.gradients === undefined || engine.tower === undefined) {
    await engine.close();
    throw new UserError("bags as tokens are read by a model that is computed on this machine");
  }
  return { ...settings, engine, processor, sha256: await hashCheckpoint(folder) };
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
      const { id, subjectId: subject_id, question } = example;
      rows.push(JSON.stringify({ id, subject_id, split, question, target, file }));
      o.onBag?.(at + 1, all.length);
    }
    replaceFile(join(o.out, BAGS_FILE), rows.map((row) => `${row}\n`).join(""));
    return rows.length;
  } finally {
    await engine.close();
  }
}
