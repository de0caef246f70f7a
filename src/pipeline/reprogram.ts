/**
 * Reprograms a frozen model for new classes and measures it beside its controls: the mapping of answers alone, and a linear
 * probe on the frozen tower. What is trained is one safetensors file, written whole after every epoch.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { PromptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { bootstrapMean, type Interval, pairedBootstrap } from "../evaluate/index.ts";
import { replaceFile } from "../runs/durable.ts";
import { openCheckpoint } from "../session/checkpoint.ts";
import { hashCheckpoint } from "../session/content-hashes.ts";
import {
  attachParts,
  changeOf,
  closeParts,
  encoder,
  frozenModel,
  isReprogrammed,
  mappingBy,
  type Parts,
  type ReprogramRecord,
  type ReprogramSettings,
  type ReprogramState,
  readReprogrammed,
  restoreParts,
  saveReprogrammed,
} from "../session/reprogrammed.ts";
import type { SourceOptions } from "../session/sources.ts";
import { likeliest } from "../train/output-mapping.ts";
import {
  type ClassMapping,
  classScores,
  type FrozenModel,
  mappingOf,
  type Reprogrammed,
  reprogramStep,
  scoreAnswers,
  withTypical,
} from "../train/reprogram.ts";
import { linearProbe } from "./linear-probe.ts";

export type { ReprogramSettings } from "../session/reprogrammed.ts";

export interface ReprogramOptions extends SourceOptions {
  readonly settings: ReprogramSettings;
  readonly train: readonly Example[];
  readonly test: readonly Example[];
  readonly prompt?: PromptStyle;
  readonly out: string;
  readonly resume: boolean;
  readonly onEpoch?: (done: number, of: number, loss: number) => void;
}

/** Accuracy on the test questions, by the examples' subjects. */
export interface ReprogramResults {
  readonly classes: readonly string[];
  readonly train: number;
  readonly test: number;
  /** The model's answer of each class; null for a trained mapping. */
  readonly answers: readonly string[] | null;
  readonly accuracy: Readonly<Record<"mapping_only" | "reprogrammed" | "linear_probe", Interval>>;
  /** Reprogrammed less the linear probe, paired. */
  readonly difference: Interval;
}

/** Trains and measures; throws UserError for what does not fit. Goes on from the last whole epoch with `resume`. */
export async function reprogram(checkpoint: string, o: ReprogramOptions): Promise<ReprogramResults> {
  const { settings, out } = o;
  const classes = classesOf(o.train, o.test);
  const answers = answersFor(settings, classes);
  const opened = await openCheckpoint(checkpoint, { ...o, ...(o.prompt === undefined ? {} : { prompt: o.prompt }) });
  let parts: Parts | null = null;
  try {
    if (opened.engine.gradients === undefined)
      throw new UserError("reprogramming needs a model that is computed on this machine");
    const { prompt } = opened;
    const named = existsSync(checkpoint) ? resolve(checkpoint) : checkpoint;
    const sha256 = await hashCheckpoint(opened.folder);
    const record = { checkpoint: named, sha256, settings, prompt, classes, answers };
    const encode = encoder(opened, record);
    const train = await encode(o.train);
    const bare = frozenModel(opened, record, train[0]!);
    makeFolder(out);
    parts = await attachParts(record);
    const { model, mapping } = await trainEpochs(bare, train, parts, record, o);
    const test = await encode(o.test);
    const unframed = { border: false };
    const plain =
      settings.form === "padded"
        ? { train: await encode(o.train, unframed), test: await encode(o.test, unframed) }
        : { train, test };
    const results = await measure(model, { train, test, plain, classes, answers, mapping, parts });
    replaceFile(join(out, "reprogram.json"), `${JSON.stringify({ checkpoint, settings, ...results }, null, 2)}\n`);
    return results;
  } finally {
    if (parts !== null) await closeParts(parts);
    await opened.engine.close();
  }
}

/** The model with its usual scores, and the mapping at the end of the last epoch; pixels are in `parts`. */
async function trainEpochs(
  bare: FrozenModel,
  train: readonly Reprogrammed[],
  parts: Parts,
  record: ReprogramRecord,
  { settings, out, resume, signal, onEpoch }: ReprogramOptions,
): Promise<{ readonly model: FrozenModel; readonly mapping: ClassMapping }> {
  const { model, ...begun } = await beginning(bare, train, parts, record, { out, resume });
  let { epoch, answerOf } = begun;
  const { visual_prompt: visual } = parts;
  for (; epoch < settings.epochs; epoch++) {
    signal?.throwIfAborted();
    if (settings.mapping === "iterative" && epoch > 0) {
      answerOf = mappingOf(await scoreAnswers(model, train, await changeOf(parts)), train, record.classes.length);
    }
    const order = permutation(randomKey(settings.seed, "reprogram", epoch), train.length);
    const optimiser = { ...ADAM, learningRate: rateAt(settings, epoch) };
    let loss = 0;
    for (let start = 0; start < order.length; start += settings.batchSize) {
      const batch = Array.from(order.slice(start, start + settings.batchSize), (i) => train[i]!);
      const trained = { visual, mapping: mappingBy(parts, { answerOf }) };
      const step = await reprogramStep(model, batch, trained, await changeOf(parts), optimiser);
      loss += (step.loss * batch.length) / train.length;
    }
    saveReprogrammed(out, parts, record, { epoch: epoch + 1, answerOf, typical: model.typical });
    onEpoch?.(epoch + 1, settings.epochs, loss);
  }
  return { model, mapping: mappingBy(parts, { answerOf }) };
}

/** Where the folder's last whole epoch left off, or the frozen model with the mapping that its own scores speak for. */
async function beginning(
  bare: FrozenModel,
  train: readonly Reprogrammed[],
  parts: Parts,
  record: ReprogramRecord,
  { out, resume }: Pick<ReprogramOptions, "out" | "resume">,
): Promise<Omit<ReprogramState, "typical"> & { readonly model: FrozenModel }> {
  if (isReprogrammed(out)) {
    if (!resume) throw new UserError(`${out} holds a reprogramming: choose another, or --resume`);
    const { record: before, state } = readReprogrammed(out);
    const same = (one: ReprogramRecord) => JSON.stringify({ ...one, settings: { ...one.settings, epochs: null } });
    if (same(before) !== same(record)) {
      throw new UserError(`${out} was trained with other settings, or of another model or classes: start anew`);
    }
    restoreParts(out, parts);
    return { model: { ...bare, typical: state.typical }, epoch: state.epoch, answerOf: state.answerOf };
  }
  const change = await changeOf(parts);
  const model = await withTypical(bare, train, change);
  const answerOf = mappingOf(await scoreAnswers(model, train, change), train, record.classes.length);
  if (parts.output_mapping !== undefined) {
    const weights = parts.output_mapping.values["matrix"]!.data as Float32Array;
    for (const [target, answer] of answerOf.entries()) weights[target * model.answers.length + answer] = 1;
  }
  saveReprogrammed(out, parts, record, { epoch: 0, answerOf, typical: model.typical });
  return { model, epoch: 0, answerOf };
}

/** As OPTML-Group/ILM-VP trains: Adam, the rate a tenth from half of the epochs on and a hundredth from 72 %. */
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

function rateAt({ learningRate, epochs }: ReprogramSettings, epoch: number): number {
  return learningRate * (epoch < 0.5 * epochs ? 1 : epoch < 0.72 * epochs ? 0.1 : 0.01);
}

interface Measured {
  readonly train: readonly Reprogrammed[];
  readonly test: readonly Reprogrammed[];
  /** The same without a frame around them. */
  readonly plain: { readonly train: readonly Reprogrammed[]; readonly test: readonly Reprogrammed[] };
  readonly classes: readonly string[];
  readonly answers: readonly string[];
  readonly mapping: ClassMapping;
  readonly parts: Parts;
}

async function measure(model: FrozenModel, m: Measured): Promise<ReprogramResults> {
  const subjects = m.test.map(({ example }) => example.subjectId);
  const right = (scores: readonly ArrayLike<number>[]) =>
    scores.map((row, i): number => (likeliest(row) === m.test[i]!.target ? 1 : 0));
  const own = right(await classScores(await scoreAnswers(model, m.test, await changeOf(m.parts)), m.mapping));
  const zeros = model.typical.map(() => 0);
  const frozen = await withTypical({ ...model, typical: zeros }, m.plain.train, null);
  const answerOf = mappingOf(await scoreAnswers(frozen, m.plain.train, null), m.plain.train, m.classes.length);
  const bare = right(await classScores(await scoreAnswers(frozen, m.plain.test, null), { answerOf }));
  const probe = right(await linearProbe(model.engine, m.plain.train, m.plain.test, m.classes.length));
  const interval = (values: readonly number[]) => bootstrapMean(values, subjects)!;
  return {
    classes: m.classes,
    train: m.train.length,
    test: m.test.length,
    answers: "answerOf" in m.mapping ? m.mapping.answerOf.map((answer) => m.answers[answer]!) : null,
    accuracy: { mapping_only: interval(bare), reprogrammed: interval(own), linear_probe: interval(probe) },
    difference: pairedBootstrap(own, probe, subjects)!,
  };
}

/** The answers of the training examples, in order; the test examples have no others. */
function classesOf(train: readonly Example[], test: readonly Example[]): readonly string[] {
  const classes = [...new Set(train.map(({ answer }) => answer))].sort();
  if (classes.length < 2) throw new UserError("reprogramming needs at least two answers among the training examples");
  const stray = test.find(({ answer }) => !classes.includes(answer));
  if (stray !== undefined) {
    throw new UserError(`example "${stray.id}": no training example has the answer "${stray.answer}"`);
  }
  return classes;
}

/** What the model can answer of itself: at least one answer for each class. */
function answersFor({ answers, mapping }: ReprogramSettings, classes: readonly string[]): readonly string[] {
  const letters = Array.from({ length: Math.min(26, Math.max(8, classes.length)) }, (_, i) =>
    String.fromCharCode(65 + i),
  );
  const chosen = answers ?? ["yes", "no", ...letters];
  if (new Set(chosen).size !== chosen.length) throw new UserError("--answers: each answer once");
  if (mapping === "learned" || chosen.length >= classes.length) return chosen;
  throw new UserError(`--answers: ${chosen.length} answers cannot stand for ${classes.length} classes one to one`);
}
