/** What viva eval asks: the answers of a checkpoint, an endpoint or a file, kept as they come, and those of baselines. */

import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import {
  type Answers,
  type BaselineAnswers,
  type Conditions,
  type ConventionalFeatures,
  type ConventionalName,
  collectAnswers,
  conventionalBaselines,
  conventionalFeatures,
  decodingOf,
  hashImages,
  hashQuestions,
  type ImageBaselineName,
  nearestNeighbour,
  openPartial,
  questionRegression,
  readPredictions,
  type ScoringOptions,
  shotsFrom,
  towerNeighbour,
  withBaselineImages,
  withFewImages,
} from "../evaluate/index.ts";
import {
  type AskedEngine,
  type PromptName,
  promptStyle,
  questionsAskedBy,
  untunedModel,
} from "../session/checkpoint.ts";
import { requireNoTags } from "../session/checks.ts";
import {
  type EnvironmentChoice,
  type EvaluationSource,
  type MaxTokensField,
  openCheckpointSource,
  openEndpointSource,
} from "../session/evaluation-sources.ts";
import { type ControlCommandOptions, controlAsked } from "./control-options.ts";
import { downloadReporter } from "./options.ts";
import type { QuestionOptions } from "./questions.ts";

export interface EvalOptions extends QuestionOptions, ControlCommandOptions {
  readonly protocol?: readonly string[];
  readonly predictions?: string;
  readonly endpoint?: string;
  readonly model?: string;
  readonly apiKeyEnv?: string;
  readonly concurrency: number;
  readonly timeout: number;
  readonly maxRetries: number;
  readonly maxTokensField: MaxTokensField;
  readonly countUnanswered?: boolean;
  readonly baseline?: readonly ImageBaselineName[];
  readonly baselineModel?: string;
  readonly conventional?: readonly ConventionalName[];
  readonly shots: number;
  readonly balancedShots?: boolean;
  readonly table?: string;
  readonly subgroups?: readonly string[];
  readonly scale?: readonly (number | null)[];
  readonly scaleDraws: number;
  readonly nearestNeighbour: boolean;
  readonly towerNeighbour?: boolean;
  readonly numGenerations: number;
  readonly temperature?: number;
  readonly topP: number;
  readonly topK: number;
  readonly maxPixels?: number;
  readonly environment?: EnvironmentChoice;
  readonly prompt?: PromptName;
  readonly device: Device;
  /** "local", or a server's address. */
  readonly engine?: string;
  readonly step?: number;
  readonly maxCompletionLength?: number;
  readonly out: string;
  readonly results?: string;
  readonly samples?: string;
  readonly json?: boolean;
}

type Fitted = Pick<ScoringOptions, "yes" | "numbers">;

/** Answers with the conditions they were given under; `done` lets go of what was kept of them, once they are written. */
interface Answered {
  readonly answers: Answers;
  readonly subject: string;
  readonly conditions: Conditions;
  done(): void;
}

/** The answers that the command line asks for, or reads. */
export async function answered(
  checkpoint: string | undefined,
  examples: readonly Example[],
  train: readonly Example[] | null,
  o: EvalOptions,
  signal: AbortSignal,
): Promise<Answered> {
  const { predictions, prompt = "plain" } = o;
  if (predictions !== undefined) {
    const { style } = promptStyle(prompt);
    requireNoTags(examples, style);
    const questions = { n: examples.length, sha256: hashQuestions(examples) };
    const conditions = { questions, prompt: null, decoding: null, images: null };
    return { answers: readPredictions(predictions, examples, style), subject: predictions, conditions, done() {} };
  }
  return ask(await openAsked(checkpoint, train, o, signal), examples, partialFile(o.out, ""), o, signal);
}

/** The checkpoint or the endpoint that the command line names. */
async function openAsked(
  checkpoint: string | undefined,
  train: readonly Example[] | null,
  o: EvalOptions,
  signal: AbortSignal,
): Promise<EvaluationSource> {
  const { endpoint, shots: _, ...given } = o;
  const shots = shotsBefore(train, o);
  const asked = { decoding: decodingFor(o), timeoutSeconds: o.timeout, ...shots };
  return endpoint === undefined
    ? await openCheckpointSource(checkpoint!, {
        ...{ ...checkpointOptions(o, signal), ...givenStep(o), ...shots },
        control: controlAsked(o),
        environment: o.environment,
      })
    : openEndpointSource({ ...given, endpoint, model: o.model!, ...asked });
}

/** Solved training questions before each; UserError where there is no training split to take them from. */
function shotsBefore(train: readonly Example[] | null, { shots: count, balancedShots, seed }: EvalOptions) {
  if (count === 0) return {};
  if (train === null)
    throw new UserError("--shots takes solved questions from the training split, which cannot be read");
  return { shots: shotsFrom(train, { count, balanced: balancedShots ?? false, seed }) };
}

/** Asks and closes what was opened; answers are kept in a file beside --out until they are written there. */
async function ask(
  opened: EvaluationSource,
  examples: readonly Example[],
  file: string,
  o: EvalOptions,
  signal: AbortSignal,
): Promise<Answered> {
  const reporter = downloadReporter();
  try {
    const { source, subject, prompt } = opened;
    requireNoTags(examples, prompt.style);
    const questions = { n: examples.length, sha256: hashQuestions(examples) };
    const images = { sha256: await hashImages(examples), ...opened.images, tokens: null };
    const { shots: count, balancedShots: balanced = false, seed } = o;
    const asked = count === 0 ? prompt : { ...prompt, shots: { count, balanced, seed } };
    const conditions = { questions, prompt: asked, decoding: source.decoding, images };
    const partial = openPartial(file, { answered_by: opened.identity, ...conditions });
    const said = partial.known.size;
    if (said > 0) reporter.message(`going on with ${said} of ${examples.length} questions answered in ${file}`);
    try {
      const answers = await collectAnswers(source, examples, {
        partial,
        unanswered: o.countUnanswered === true ? "count" : "stop",
        signal,
        onProgress: (step, total) => reporter.step({ stage: "eval", step, total, metrics: {} }),
      });
      return { answers, subject, conditions, done: () => partial.remove() };
    } catch (error) {
      if (signal.aborted) reporter.message(`answers are kept in ${file}: the same command goes on from them`);
      throw error;
    } finally {
      partial.close();
    }
  } finally {
    reporter.close();
    await opened.close();
  }
}

/**
 * Baselines beyond the counted ones: the question's words by regression, the nearest neighbour, conventional models with
 * their probabilities of "yes", the model itself with other images, the untuned model.
 */
export async function baselinesBeside(
  checkpoint: string | undefined,
  examples: readonly Example[],
  train: readonly Example[] | null,
  o: EvalOptions,
  signal: AbortSignal,
): Promise<{
  readonly answers: BaselineAnswers;
  readonly fitted: Fitted;
  /** Where conventional models were asked for. */
  readonly features: ConventionalFeatures | null;
  done(): void;
}> {
  const words = train === null ? {} : questionRegression(examples, train);
  const near = train === null || !o.nearestNeighbour ? {} : await nearestNeighbour(examples, train);
  const seen = train === null || !o.towerNeighbour ? null : await towerVectors(checkpoint, examples, train, o, signal);
  const tower = seen === null ? {} : await towerNeighbour(examples, train!, async () => seen);
  const asksModels = (o.conventional ?? []).length > 0;
  const features = train === null || !asksModels ? null : await conventionalFeatures(examples, train, seen);
  const fitted = features === null ? {} : conventionalBaselines(o.conventional!, examples, features);
  const given = Object.entries(fitted);
  const parts = {
    yes: Object.fromEntries(given.map(([name, { yes }]) => [name, yes] as const)),
    numbers: Object.fromEntries(given.map(([name, { numbers }]) => [name, numbers] as const)),
  };
  const asked: [name: string, Answered][] = [];
  for (const name of o.baseline ?? []) {
    const changed = await withBaselineImages(name, examples, o.seed);
    const opened = await openAsked(checkpoint, train, o, signal);
    asked.push([name, await ask(opened, changed, partialFile(o.out, `.${name}`), o, signal)]);
  }
  if (o.baselineModel !== undefined) {
    const opened = await openUntuned(checkpoint, o.baselineModel, train, o, signal);
    asked.push(["untuned", await ask(opened, examples, partialFile(o.out, ".untuned"), o, signal)]);
  }
  return {
    answers: {
      ...words,
      ...near,
      ...tower,
      ...fitted,
      ...Object.fromEntries(asked.map(([name, { answers }]) => [name, answers] as const)),
    },
    fitted: given.length === 0 ? {} : parts,
    features,
    done: () => {
      for (const [, { done }] of asked) done();
    },
  };
}

/** Images as the model that is evaluated sees them: those of the questions, and those of training that baselines look at. */
async function towerVectors(
  checkpoint: string | undefined,
  examples: readonly Example[],
  train: readonly Example[],
  o: EvalOptions,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Float32Array>> {
  const opened = await openAsked(checkpoint, train, o, signal);
  try {
    return await opened.embed([...withFewImages(train), ...examples].flatMap(({ images }) => images.slice(0, 1)));
  } finally {
    await opened.close();
  }
}

/** The untuned model, asked as the model beside it is: with the run's prompt, length and image limits. */
async function openUntuned(
  checkpoint: string | undefined,
  named: string,
  train: readonly Example[] | null,
  o: EvalOptions,
  signal: AbortSignal,
) {
  const sources = { reporter: downloadReporter(), signal };
  const model = named === "own" ? await untunedModel(checkpoint!, { ...sources, ...givenStep(o) }) : named;
  const asked = checkpoint === undefined ? {} : questionsAskedBy(checkpoint);
  const options = { ...checkpointOptions(o, signal, asked.length), ...shotsBefore(train, o) };
  return openCheckpointSource(model, { ...asked, ...options });
}

function checkpointOptions(o: EvalOptions, signal: AbortSignal, ownLength?: number) {
  const { device, prompt, maxPixels } = o;
  return {
    ...askedEngine(o),
    ...{ device, reporter: downloadReporter(), signal, decoding: decodingFor(o, ownLength) },
    ...(prompt === undefined ? {} : { prompt }),
    ...(maxPixels === undefined ? {} : { imageLimits: { maxPixels } }),
  };
}

function askedEngine({ engine, model, apiKeyEnv }: EvalOptions): { readonly engine?: AskedEngine } {
  if (engine === undefined || engine === "local") return engine === undefined ? {} : { engine };
  const named = { ...(model === undefined ? {} : { model }), ...(apiKeyEnv === undefined ? {} : { apiKeyEnv }) };
  return { engine: { url: engine, ...named } };
}

function givenStep({ step }: EvalOptions) {
  return step === undefined ? {} : { step };
}

function decodingFor({ maxCompletionLength, ...o }: EvalOptions, given?: number) {
  return (ownLength: number) => decodingOf({ ...o, maxCompletionLength: maxCompletionLength ?? given ?? ownLength });
}

function partialFile(out: string, what: string): string {
  return `${out.replace(/\.jsonl$/, "")}${what}.partial.jsonl`;
}
