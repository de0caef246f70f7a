/**
 * Reprograms a frozen model for new classes and measures it beside its controls: the mapping of answers alone, and a linear
 * probe on the frozen tower. What is trained is one safetensors file, written whole after every epoch.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PromptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { float32 } from "../core/tensor-data.ts";
import { type Attached, attach, loadAttached, saveAttached } from "../engine/attached.ts";
import { bootstrapMean, type Interval, pairedBootstrap } from "../evaluate/index.ts";
import { replaceFile } from "../runs/durable.ts";
import { openCheckpoint } from "../session/checkpoint.ts";
import type { SourceOptions } from "../session/sources.ts";
import { likeliest } from "../train/output-mapping.ts";
import {
  answerTokens,
  type ClassMapping,
  classScores,
  encodeSquare,
  type FrozenModel,
  mappingOf,
  type PixelChange,
  type Reprogrammed,
  reprogramStep,
  scoreAnswers,
} from "../train/reprogram.ts";
import { linearProbe } from "./linear-probe.ts";

export interface ReprogramSettings {
  readonly form: "full" | "frame" | "padded";
  readonly mapping: "frequency" | "iterative" | "learned";
  /** Pixels of a side, and of the frame. */
  readonly size: number;
  readonly width: number;
  /** The model's own answers; null: yes, no and letters. */
  readonly answers: readonly string[] | null;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
}

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

const STATE = "visual_prompt.safetensors";
/** Images scored in one call. */
const CHUNK = 32;

/** Trains and measures; throws UserError for what does not fit. Goes on from the last whole epoch with `resume`. */
export async function reprogram(checkpoint: string, o: ReprogramOptions): Promise<ReprogramResults> {
  const { settings, out } = o;
  const classes = classesOf(o.train, o.test);
  const answers = answersFor(settings, classes);
  const opened = await openCheckpoint(checkpoint, { ...o, ...(o.prompt === undefined ? {} : { prompt: o.prompt }) });
  const parts: Record<string, Attached> = {};
  try {
    const { engine, processor, prompt } = opened;
    if (engine.gradients === undefined)
      throw new UserError("reprogramming needs a model that is computed on this machine");
    const border = settings.form === "padded" ? settings.width : 0;
    const encode = (examples: readonly Example[], frame: number) =>
      encodeSquare(processor, examples, { prompt, size: settings.size, border: frame, classes });
    const train = await encode(o.train, border);
    const first = train[0]!.prompt;
    const layout = processor.pixelLayout!(first.images[0]!.grid);
    const tokens = answerTokens(processor, answers, { style: prompt.style, prompt: first });
    const model: FrozenModel = { engine, processor, answers: tokens, layout, chunk: CHUNK };
    const { size, form, width, seed } = settings;
    parts["visual_prompt"] = await attach("visual_prompt", { size, form, width }, { seed });
    if (settings.mapping === "learned") {
      parts["output_mapping"] = await attach(
        "output_mapping",
        { answers: answers.length, classes: classes.length },
        { seed },
      );
    }
    makeFolder(out);
    const mapping = await trainEpochs(model, train, classes.length, parts, o);
    const test = await encode(o.test, border);
    const plain = border === 0 ? { train, test } : { train: await encode(o.train, 0), test: await encode(o.test, 0) };
    const results = await measure(model, {
      train,
      test,
      plain,
      classes,
      answers,
      mapping,
      visual: parts["visual_prompt"],
    });
    replaceFile(join(out, "reprogram.json"), `${JSON.stringify({ checkpoint, settings, ...results }, null, 2)}\n`);
    return results;
  } finally {
    for (const part of Object.values(parts)) await part.close();
    await opened.engine.close();
  }
}

/** The mapping at the end of the last epoch; pixels and a trained mapping are in `parts`. */
async function trainEpochs(
  model: FrozenModel,
  train: readonly Reprogrammed[],
  classes: number,
  parts: Readonly<Record<string, Attached>>,
  { settings, out, resume, signal, onEpoch }: ReprogramOptions,
): Promise<ClassMapping> {
  const visual = parts["visual_prompt"]!;
  const matrix = parts["output_mapping"] ?? null;
  const path = join(out, STATE);
  const described = JSON.stringify({ ...settings, epochs: null });
  if (existsSync(path) && !resume) throw new UserError(`${out} holds a reprogramming: choose another, or --resume`);
  let [epoch, answerOf] = [0, [] as readonly number[]];
  if (existsSync(path)) {
    const stored = loadAttached(path, parts);
    if (stored["settings"] !== described) throw new UserError(`${path} was trained with other settings: start anew`);
    [epoch, answerOf] = [Number(stored["epoch"]), JSON.parse(stored["mapping"]!) as number[]];
  } else {
    answerOf = mappingOf(await scoreAnswers(model, train, await changeOf(visual)), train, classes);
    if (matrix !== null) {
      const weights = matrix.values["matrix"]!.data as Float32Array;
      for (const [target, answer] of answerOf.entries()) weights[target * model.answers.length + answer] = 1;
    }
  }
  const mapping = (): ClassMapping => (matrix === null ? { answerOf } : { matrix });
  for (; epoch < settings.epochs; epoch++) {
    signal?.throwIfAborted();
    if (settings.mapping === "iterative" && epoch > 0) {
      answerOf = mappingOf(await scoreAnswers(model, train, await changeOf(visual)), train, classes);
    }
    const order = permutation(randomKey(settings.seed, "reprogram", epoch), train.length);
    const optimiser = { ...ADAM, learningRate: rateAt(settings, epoch) };
    let loss = 0;
    for (let start = 0; start < order.length; start += settings.batchSize) {
      const batch = Array.from(order.slice(start, start + settings.batchSize), (i) => train[i]!);
      const trained = { visual, mapping: mapping() };
      const step = await reprogramStep(model, batch, trained, await changeOf(visual), optimiser);
      loss += (step.loss * batch.length) / train.length;
    }
    const metadata = { settings: described, epoch: String(epoch + 1), mapping: JSON.stringify(answerOf) };
    saveAttached(path, parts, { training: true, metadata });
    onEpoch?.(epoch + 1, settings.epochs, loss);
  }
  return mapping();
}

/** As OPTML-Group/ILM-VP trains: Adam, the rate a tenth from half of the epochs on and a hundredth from 72 %. */
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

function rateAt({ learningRate, epochs }: ReprogramSettings, epoch: number): number {
  return learningRate * (epoch < 0.5 * epochs ? 1 : epoch < 0.72 * epochs ? 0.1 : 0.01);
}

/** What the visual prompt adds to every image by now. */
async function changeOf(visual: Attached): Promise<PixelChange> {
  const size = visual.values["prompt"]!.data.length;
  const { data } = await visual.forward(float32([1, size], new Float32Array(size)));
  return { change: data as Float32Array, version: visual.steps };
}

interface Measured {
  readonly train: readonly Reprogrammed[];
  readonly test: readonly Reprogrammed[];
  /** The same without a frame around them. */
  readonly plain: { readonly train: readonly Reprogrammed[]; readonly test: readonly Reprogrammed[] };
  readonly classes: readonly string[];
  readonly answers: readonly string[];
  readonly mapping: ClassMapping;
  readonly visual: Attached;
}

async function measure(model: FrozenModel, m: Measured): Promise<ReprogramResults> {
  const subjects = m.test.map(({ example }) => example.subjectId);
  const right = (scores: readonly ArrayLike<number>[]) =>
    scores.map((row, i): number => (likeliest(row) === m.test[i]!.target ? 1 : 0));
  const own = right(await classScores(await scoreAnswers(model, m.test, await changeOf(m.visual)), m.mapping));
  const answerOf = mappingOf(await scoreAnswers(model, m.plain.train, null), m.plain.train, m.classes.length);
  const bare = right(await classScores(await scoreAnswers(model, m.plain.test, null), { answerOf }));
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
