/** What viva eval asks: the answers of a checkpoint, an endpoint or a file, kept as they come, and those of baselines. */

import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import {
  type Answers,
  type Conditions,
  type ConventionalName,
  collectAnswers,
  decodingOf,
  hashImages,
  hashQuestions,
  type ImageBaselineName,
  openPartial,
  readPredictions,
  shotsFrom,
} from "../evaluate/index.ts";
import { type AskedEngine, type PromptName, promptStyle } from "../session/checkpoint.ts";
import { requireNoTags } from "../session/checks.ts";
import {
  type EnvironmentChoice,
  type EvaluationSource,
  type MaxTokensField,
  openCheckpointSource,
  openEndpointSource,
} from "../session/evaluation-sources.ts";
import { controlAsked } from "./control-asked.ts";
import type { ControlCommandOptions } from "./control-options.ts";
import { downloadReporter } from "./options.ts";
import type { QuestionOptions } from "./question-options.ts";
import type { AskedQuestions } from "./questions.ts";

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
  readonly folds: number;
  readonly missedCost: number;
  readonly nearestNeighbour: boolean;
  readonly towerNeighbour?: boolean;
  /** A split, or none. */
  readonly validation?: string;
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

/** With the questions that they come to. */
export type AskedEvaluation = EvalOptions & AskedQuestions;

/** Answers with the conditions they were given under; `done` lets go of what was kept of them, once they are written. */
export interface Answered {
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
  o: AskedEvaluation,
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
export async function openAsked(
  checkpoint: string | undefined,
  train: readonly Example[] | null,
  o: AskedEvaluation,
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
export function shotsBefore(train: readonly Example[] | null, { shots: count, balancedShots, seed }: AskedEvaluation) {
  if (count === 0) return {};
  if (train === null)
    throw new UserError("--shots takes solved questions from the training split, which cannot be read");
  return { shots: shotsFrom(train, { count, balanced: balancedShots ?? false, seed }) };
}

/** Asks and closes what was opened; answers are kept in a file beside --out until they are written there. */
export async function ask(
  opened: EvaluationSource,
  examples: readonly Example[],
  file: string,
  o: AskedEvaluation,
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

export function checkpointOptions(o: AskedEvaluation, signal: AbortSignal, ownLength?: number) {
  const { device, prompt, maxPixels } = o;
  return {
    ...askedEngine(o),
    ...{ device, reporter: downloadReporter(), signal, decoding: decodingFor(o, ownLength) },
    ...(prompt === undefined ? {} : { prompt }),
    ...(maxPixels === undefined ? {} : { imageLimits: { maxPixels } }),
  };
}

function askedEngine({ engine, model, apiKeyEnv }: AskedEvaluation): { readonly engine?: AskedEngine } {
  if (engine === undefined || engine === "local") return engine === undefined ? {} : { engine };
  const named = { ...(model === undefined ? {} : { model }), ...(apiKeyEnv === undefined ? {} : { apiKeyEnv }) };
  return { engine: { url: engine, ...named } };
}

export function givenStep({ step }: AskedEvaluation) {
  return step === undefined ? {} : { step };
}

function decodingFor({ maxCompletionLength, ...o }: AskedEvaluation, given?: number) {
  return (ownLength: number) => decodingOf({ ...o, maxCompletionLength: maxCompletionLength ?? given ?? ownLength });
}

export function partialFile(out: string, what: string): string {
  return `${out.replace(/\.jsonl$/, "")}${what}.partial.jsonl`;
}
