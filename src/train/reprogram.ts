/**
 * Model reprogramming (arXiv 2506.00620; definitions from OPTML-Group/ILM-VP): the model stays as it is; what is trained is a
 * change of pixels that all images share, and which of the model's own answers stands for which class.
 */
import { encodeQuestion, opensThought, type PromptStyle, targetText } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import { type PixelLayout, pixelGradient, withPixelChange } from "../core/pixels.ts";
import type { Processor } from "../core/processor.ts";
import type { Example, ImageFeatures, Prompt } from "../core/records.ts";
import { float32 } from "../core/tensor-data.ts";
import { squareImage } from "../data/square-images.ts";
import type { Attached } from "../engine/attached.ts";
import { type OptimStep, plainScoring, type TokenBatch, type TrainingEngine } from "../engine/engine.ts";
import { likelihoodBatch } from "./likelihood-batch.ts";
import { answerCounts, crossEntropy, frequencyMapping } from "./output-mapping.ts";

/** An example of the new classes, encoded once; its image is square. */
export interface Reprogrammed {
  readonly example: Example;
  readonly prompt: Prompt;
  /** The class, by its place in the list. */
  readonly target: number;
}

/** What the frozen model and its answers are. */
export interface FrozenModel {
  readonly engine: TrainingEngine;
  readonly processor: Processor;
  /** The tokens of the model's own answers. */
  readonly answers: readonly Int32Array[];
  /**
   * What each answer's log-prob usually is: scores are relative to it, since a model's liking for a word says nothing of the
   * image. Zeros: log-probs as they are.
   */
  readonly typical: readonly number[];
  /** Of every image. */
  readonly layout: PixelLayout;
  /** Images scored in one call. */
  readonly chunk: number;
}

/** How scores [answers] of the model's answers become scores of classes: one answer each, or a trained matrix. */
export type ClassMapping = { readonly answerOf: readonly number[] } | { readonly matrix: Attached };

/** The pixels' change by now: [size x size x 3], and a number that is new whenever it changes. */
export interface PixelChange {
  readonly change: Float32Array;
  readonly version: number;
}

/** Encodes examples with square images; UserError where the model would resize them again. */
export async function encodeSquare(
  processor: Processor,
  examples: readonly Example[],
  o: {
    readonly prompt: PromptStyle;
    readonly size: number;
    readonly border: number;
    readonly classes: readonly string[];
  },
): Promise<readonly Reprogrammed[]> {
  const { pixelLayout } = processor;
  if (pixelLayout === undefined) throw new UserError("reprogramming: a model of this family cuts an image into frames");
  return Promise.all(
    examples.map(async (example) => {
      if (example.images.length !== 1)
        throw new UserError(`example "${example.id}": reprogramming needs one image each`);
      const images = [await squareImage(example.images[0]!, o.size, o.border)];
      const prompt = await encodeQuestion(processor, { ...example, images }, o.prompt);
      const { width, height } = pixelLayout(prompt.images[0]!.grid);
      if (width !== o.size || height !== o.size) {
        throw new UserError(
          `size ${o.size}: the model sees such an image at ${width} x ${height} pixels; take that size`,
        );
      }
      return { example, prompt, target: o.classes.indexOf(example.answer) };
    }),
  );
}

/** The tokens of answers as this style writes them. */
export function answerTokens(
  processor: Processor,
  answers: readonly string[],
  { style, prompt }: { readonly style: PromptStyle["style"]; readonly prompt: Prompt },
): readonly Int32Array[] {
  const thinkOpened = opensThought(prompt.text);
  const example = {
    id: "",
    subjectId: "",
    question: "",
    images: [],
    answerType: "open",
    choices: [],
    meta: {},
  } as const;
  return answers.map((answer) =>
    processor.encodeCompletion(targetText({ ...example, answer }, style, "answer", thinkOpened)),
  );
}

/** Scores of the model's answers for every example, [examples][answers]: the sum of an answer's log-probs less its usual one. */
export async function scoreAnswers(
  model: FrozenModel,
  items: readonly Reprogrammed[],
  pixels: PixelChange | null,
): Promise<Float32Array[]> {
  const scores: Float32Array[] = [];
  for (let start = 0; start < items.length; start += model.chunk) {
    const groups = groupsOf(model, items.slice(start, start + model.chunk), pixels);
    const { logProbs } = await model.engine.policy.logProbs(groups, plainScoring);
    for (let i = 0; i < groups.length; i++) {
      const own = logProbs.slice(i * model.answers.length, (i + 1) * model.answers.length);
      const sums = own.map((tokens) => tokens.reduce((sum, value) => sum + value, 0));
      scores.push(Float32Array.from(sums, (sum, answer) => sum - model.typical[answer]!));
    }
  }
  return scores;
}

/** The model with each answer's mean score over these examples taken as its usual one. */
export async function withTypical(model: FrozenModel, items: readonly Reprogrammed[], pixels: PixelChange | null) {
  const scores = await scoreAnswers(model, items, pixels);
  const typical = model.answers.map((_, answer) => scores.reduce((sum, row) => sum + row[answer]!, 0) / scores.length);
  return { ...model, typical };
}

/** The one-to-one mapping that the scores of examples speak for. */
export function mappingOf(scores: readonly Float32Array[], items: readonly Reprogrammed[], classes: number): number[] {
  return frequencyMapping(
    answerCounts(
      scores,
      items.map(({ target }) => target),
      classes,
    ),
  );
}

/** Scores of classes, [examples][classes]. */
export async function classScores(scores: readonly Float32Array[], mapping: ClassMapping): Promise<Float32Array[]> {
  if ("answerOf" in mapping) return scores.map((row) => Float32Array.from(mapping.answerOf, (answer) => row[answer]!));
  const { data, shape } = await mapping.matrix.forward(rowsOf(scores));
  const classes = shape[1]!;
  return scores.map((_, i) => (data as Float32Array).slice(i * classes, (i + 1) * classes));
}

/** One optimiser step of the pixels' change, and of a trained mapping; null for pixels trains the mapping alone. */
export async function reprogramStep(
  model: FrozenModel,
  batch: readonly Reprogrammed[],
  trained: { readonly visual: Attached | null; readonly mapping: ClassMapping },
  pixels: PixelChange | null,
  optimiser: OptimStep,
): Promise<{ readonly loss: number; readonly gradNorm: number }> {
  const scores = await scoreAnswers(model, batch, pixels);
  const { loss, gradients } = await mappedGradients(scores, batch, trained.mapping);
  if (trained.visual !== null) {
    const found = (await model.engine.gradients!(weighted(model, batch, gradients, pixels), "pixels")).gradients;
    const total = new Float32Array(3 * model.layout.width * model.layout.height);
    for (const gradient of found.values()) {
      for (const [i, value] of pixelGradient(gradient, model.layout).entries()) total[i]! += value;
    }
    const shape = [1, total.length];
    await trained.visual.backward(float32(shape, new Float32Array(total.length)), float32(shape, total));
  }
  const steps = [trained.visual, "matrix" in trained.mapping ? trained.mapping.matrix : null];
  const norms = steps.map((part) => part?.step(optimiser).gradNorm ?? 0);
  return { loss, gradNorm: Math.hypot(...norms) };
}

/** The batch's mean cross-entropy and its gradient by the answers' scores; accumulates a trained mapping's own. */
async function mappedGradients(scores: readonly Float32Array[], batch: readonly Reprogrammed[], mapping: ClassMapping) {
  const found = (await classScores(scores, mapping)).map((row, i) => crossEntropy(row, batch[i]!.target));
  const loss = found.reduce((sum, one) => sum + one.loss, 0) / batch.length;
  const byClass = found.map(({ gradient }) => gradient.map((value) => value / batch.length));
  if ("matrix" in mapping) {
    const { data, shape } = await mapping.matrix.backward(rowsOf(scores), rowsOf(byClass));
    const answers = shape[1]!;
    return { loss, gradients: scores.map((_, i) => (data as Float32Array).slice(i * answers, (i + 1) * answers)) };
  }
  const gradients = scores.map((row, i) => {
    const own = new Float32Array(row.length);
    for (const [target, answer] of mapping.answerOf.entries()) own[answer] = byClass[i]![target]!;
    return own;
  });
  return { loss, gradients };
}

/** A batch whose loss has the given gradients by the answers' log-probs. */
function weighted(
  model: FrozenModel,
  batch: readonly Reprogrammed[],
  gradients: readonly Float32Array[],
  pixels: PixelChange | null,
): TokenBatch {
  const groups = groupsOf(model, batch, pixels).map((group, i) => ({
    ...group,
    completions: group.completions.map((completion, a) => ({ ...completion, weight: -gradients[i]![a]! })),
  }));
  return likelihoodBatch(groups);
}

function groupsOf({ answers, layout }: FrozenModel, items: readonly Reprogrammed[], pixels: PixelChange | null) {
  const completions = answers.map((tokenIds) => ({ tokenIds, weight: 1, advantage: 0 }));
  const changed = (image: ImageFeatures) =>
    pixels === null ? image : withPixelChange(image, pixels.change, layout, `prompt${pixels.version}`);
  return items.map(({ prompt }) => ({ prompt: { ...prompt, images: prompt.images.map(changed) }, completions }));
}

function rowsOf(rows: readonly ArrayLike<number>[]) {
  const width = rows[0]?.length ?? 0;
  return float32([rows.length, width], Float32Array.from(rows.flatMap((row) => Array.from(row))));
}
