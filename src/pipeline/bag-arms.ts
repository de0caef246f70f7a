/**
 * Ways of learning the number of a bag, trained alike: an arm is a head, a way of drawing bags and a seed, kept in one
 * safetensors file that is written whole after every epoch.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import { type Attached, attach, loadAttached, saveAttached } from "../engine/attached.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { numericErrors } from "../evaluate/metrics/numeric.ts";
import { likelihoodEpoch, readBagNumbers, rewardEpoch } from "../train/bag-tokens.ts";
import {
  type Bag,
  type BagEpoch,
  bagEpoch,
  type FeatureScale,
  predictBags,
  type TargetScale,
  targetScale,
} from "../train/bags.ts";
import { labelWeights } from "../train/label-distribution.ts";

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
  /** A number by itself, or tokens that the frozen model reads and answers. */
  readonly head: "number" | "tokens";
  /** Tokens are pooled by attention. */
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
  /** Share of answers without a number, which count as the mean of the training targets; null for a head of numbers. */
  readonly unreadable: number | null;
}

/** The frozen model that reads bags as tokens. */
export interface ReaderSettings {
  readonly tokens: number;
  /** After the epochs on the numbers' text: epochs on the reward of numbers that were sampled. */
  readonly rewardEpochs: number;
}

export interface OpenedReader extends ReaderSettings {
  readonly engine: TrainingEngine;
  readonly processor: Processor;
  /** Of the model's files: a head is worth nothing on another. */
  readonly sha256: string;
}

export interface TrainArmOptions {
  readonly settings: BagSettings;
  /** Needed by arms of tokens. */
  readonly reader: OpenedReader | null;
  readonly high: number;
  /** By which the bags' features were scaled: written beside the heads that learnt from them. */
  readonly features: FeatureScale;
  readonly out: string;
  readonly resume: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onEpoch?: (arm: string, done: number, of: number, loss: number) => void;
}

/** Trains an arm, or goes on with it, and measures it on the test bags. */
export async function trainArm(
  arm: BagArm,
  train: readonly Bag[],
  test: readonly Bag[],
  { settings, reader, high, features, out, resume, signal, onEpoch }: TrainArmOptions,
): Promise<BagResult> {
  const { head, pool, sampling, seed } = arm;
  const name = `${head === "tokens" ? "tokens" : pool}-${sampling}-${seed}`;
  const path = join(out, `${name}.safetensors`);
  if (existsSync(path) && !resume) throw new UserError(`${path} is there already: choose another --out, or --resume`);
  const learner = await learners[head](arm, train[0]!.width, settings, reader);
  const parts = { [learner.key]: learner.attached };
  try {
    const described = JSON.stringify({ ...settings, epochs: null, bags: train.length, ...learner.described });
    let epoch = 0;
    if (existsSync(path)) {
      const stored = loadAttached(path, parts);
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
    for (; epoch < learner.epochs; epoch++) {
      signal?.throwIfAborted();
      const { bagSize, batchSize } = settings;
      const loss = await learner.epoch({ bags: train, weights, scale, bagSize, batchSize, optimiser, seed, epoch });
      const scales = { scale: JSON.stringify(scale), features: JSON.stringify(features) };
      const metadata = { settings: described, epoch: String(epoch + 1), ...scales };
      saveAttached(path, parts, { training: true, metadata });
      onEpoch?.(name, epoch + 1, learner.epochs, loss);
    }
    const found = await learner.predict(test, scale);
    const unreadable = found.filter((value) => value === null).length / test.length;
    const numbers = found.map((value) => value ?? scale.mean);
    return { ...arm, ...measure(numbers, test, high), unreadable: head === "tokens" ? unreadable : null };
  } finally {
    await learner.attached.close();
  }
}

/** What is trained of an arm, and how. */
interface Learner {
  /** Its name in the file. */
  readonly key: string;
  readonly attached: Attached;
  readonly epochs: number;
  /** What its file must agree with, beside the settings of all arms. */
  readonly described: Readonly<Record<string, unknown>>;
  epoch(o: BagEpoch): Promise<number>;
  predict(bags: readonly Bag[], scale: TargetScale): Promise<readonly (number | null)[]>;
}

type OpenLearner = (arm: BagArm, width: number, settings: BagSettings, reader: OpenedReader | null) => Promise<Learner>;

const learners: Readonly<Record<BagArm["head"], OpenLearner>> = {
  async number({ pool, seed }, width, { hidden, epochs }) {
    const attached = await attach("bag_pool", { width, hidden, pool }, { seed });
    return {
      ...{ key: "bag_pool", attached, epochs, described: {} },
      epoch: (o) => bagEpoch(attached, o),
      predict: (bags, scale) => predictBags(attached, bags, scale),
    };
  },

  async tokens({ seed }, width, { hidden, epochs }, opened) {
    const { tokens, rewardEpochs, sha256, ...model } = opened!;
    const output = model.engine.tower!.width;
    const attached = await attach("bag_tokens", { width, hidden, tokens, output }, { seed });
    const reader = { ...model, tokens, head: attached, prompts: new Map() };
    return {
      ...{ key: "bag_tokens", attached, epochs: epochs + rewardEpochs },
      described: { tokens, model: sha256, ...(rewardEpochs === 0 ? {} : { rewardEpochs, epochs }) },
      epoch: (o) => (o.epoch < epochs ? likelihoodEpoch(reader, o) : rewardEpoch(reader, o)),
      predict: (bags) => readBagNumbers(reader, bags),
    };
  },
};

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
