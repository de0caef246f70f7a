/** Opens what an evaluation asks: a checkpoint, a run or an adapter on this machine, or a model behind an endpoint. */
import { type PromptName, type PromptStyle, promptStyle, type Shots } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Example, ImageRef } from "../core/records.ts";
import { endpointSource } from "../evaluate/endpoint-source.ts";
import { type AnswerSource, type Decoding, policySource } from "../evaluate/index.ts";
import { openChatClient } from "../io/chat-client.ts";
import type { MaxTokensField } from "../io/max-tokens-field.ts";
import type { Recipe } from "../recipes/schema.ts";
import { evaluationEnvironment, evaluationLength } from "../recipes/stage-kinds.ts";
import { environmentSchema } from "../tools/index.ts";
import type { OpenedTools } from "../tools/trajectories.ts";
import { type OpenCheckpointOptions, openCheckpoint } from "./checkpoint.ts";
import type { EnvironmentChoice } from "./choices.ts";
import { hashCheckpoint } from "./content-hashes.ts";
import { type ControlOptions, controlled, requireThoughts } from "./control.ts";
import { embedImages } from "./image-embeddings.ts";
import { isReprogrammed, openReprogrammed } from "./reprogrammed.ts";
import { openTools } from "./stage-tools.ts";

export type { MaxTokensField } from "../io/max-tokens-field.ts";
export type { EnvironmentChoice } from "./choices.ts";

/** Something opened that answers. */
export interface EvaluationSource {
  readonly source: AnswerSource;
  /** Names it in the results. */
  readonly subject: string;
  readonly prompt: PromptStyle;
  readonly images: { readonly min_pixels: number | null; readonly max_pixels: number | null };
  /** Who answers, by content: answers of another are not mixed with its own. */
  readonly identity: Readonly<Record<string, string>>;
  /** What its vision tower makes of images, by path. Throws UserError where it is computed elsewhere. */
  embed(images: readonly ImageRef[]): Promise<ReadonlyMap<string, Float32Array>>;
  close(): Promise<void>;
}

/** Gives the decoding when the number of tokens that fits the source is known. */
export type DecodingFor = (ownLength: number) => Decoding;

/** How questions are put. */
interface AskedWith {
  readonly decoding: DecodingFor;
  /** Solved examples before each question; none by default. */
  readonly shots?: (example: Example) => Shots;
}

/** Tokens of an answer where no run says otherwise. */
const PLAIN_LENGTH = 64;

/** Tokens of an answer of a model that belongs to the run of this recipe, if to any. */
export function answerLength(recipe: Recipe | null): number {
  return recipe === null ? PLAIN_LENGTH : evaluationLength(recipe);
}

export async function openCheckpointSource(
  path: string,
  o: OpenCheckpointOptions &
    AskedWith & {
      readonly control?: ControlOptions;
      /** In place of the run's: an environment by name, or none. */
      readonly environment?: EnvironmentChoice | undefined;
    },
): Promise<EvaluationSource> {
  if (isReprogrammed(path)) return openClasses(path, o);
  const opened = await openCheckpoint(path, o);
  const { engine, folder, base, imageLimits, server, recipe } = opened;
  let tools: OpenedTools | null = null;
  const close = async () => {
    await tools?.environment.close();
    await engine.close();
  };
  try {
    const settings = environmentAsked(o.environment, recipe);
    if (settings !== null && server !== null) throw new UserError(refusesTurns(settings.name));
    tools = settings === null ? null : await openTools(settings, opened.prompt);
    const prompt = tools?.prompt ?? opened.prompt;
    const decoding = o.decoding(answerLength(recipe));
    const sha256 = await hashCheckpoint(folder);
    if (o.control?.stop !== undefined) requireThoughts(prompt);
    const { policy, processor, identity } = await controlled(opened, o.control ?? {}, o);
    return {
      source: policySource(policy, { processor, prompt, tools, decoding, ...withShots(o) }),
      subject: folder,
      prompt,
      images: { min_pixels: imageLimits.minPixels ?? null, max_pixels: imageLimits.maxPixels ?? null },
      identity: {
        checkpoint_sha256: sha256,
        ...(settings === null ? {} : { environment: JSON.stringify(settings) }),
        ...(base === folder ? {} : { base_sha256: await hashCheckpoint(base) }),
        ...(server === null ? { device: o.device ?? "cpu" } : { server: server.url }),
        ...identity,
      },
      embed: (refs) => embedImages(opened, refs),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A frozen model that viva reprogram has taught new classes. */
async function openClasses(path: string, o: Parameters<typeof openCheckpointSource>[1]): Promise<EvaluationSource> {
  const { control, environment, shots, step, prompt, imageLimits, ...given } = o;
  const { stop, route } = control ?? {};
  const refused = {
    ...{ "--stop": stop, "--route": route, "--shots": shots, "--step": step, "--prompt": prompt },
    ...{ "--environment": environment, "--max-pixels": imageLimits?.maxPixels },
  };
  const { source, opened, record, sha256, close } = await openReprogrammed(path, { ...given, refused });
  const { minPixels = null, maxPixels = null } = opened.imageLimits;
  return {
    source,
    subject: path,
    prompt: record.prompt,
    images: { min_pixels: minPixels, max_pixels: maxPixels },
    identity: { checkpoint_sha256: await hashCheckpoint(path), base_sha256: sha256, device: o.device ?? "cpu" },
    embed: (refs) => embedImages(opened, refs),
    close,
  };
}

const refusesTurns = (name: string) =>
  `environment ${name}: the turns of completions with tools are computed by engine local alone; --environment none leaves them out`;

function environmentAsked(asked: EnvironmentChoice | undefined, recipe: Recipe | null) {
  if (asked === "none") return null;
  if (asked !== undefined) return environmentSchema.parse(asked);
  return recipe === null ? null : evaluationEnvironment(recipe);
}

export interface EndpointOptions extends AskedWith {
  /** The address before /chat/completions. */
  readonly endpoint: string;
  readonly model: string;
  /** Name of the environment variable that holds the key. */
  readonly apiKeyEnv?: string | undefined;
  readonly concurrency: number;
  /** For one attempt. */
  readonly timeoutSeconds: number;
  /** Attempts after the first. */
  readonly maxRetries: number;
  readonly maxPixels?: number | undefined;
  /** What the endpoint calls the limit on tokens. */
  readonly maxTokensField: MaxTokensField;
  readonly prompt?: PromptName | undefined;
  /** In place of the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Throws UserError for an address or a key that cannot be used; nothing is sent yet. */
export function openEndpointSource(o: EndpointOptions): EvaluationSource {
  const { endpoint, model, apiKeyEnv, concurrency, maxPixels, env = process.env } = o;
  const apiKey = apiKeyEnv === undefined ? null : (env[apiKeyEnv] ?? "");
  if (apiKey === "") throw new UserError(`--api-key-env: the environment variable ${apiKeyEnv} is not set`);
  const client = openChatClient({
    baseUrl: endpoint,
    addressKey: "--endpoint",
    model,
    apiKey,
    timeoutSeconds: o.timeoutSeconds,
    maxRetries: o.maxRetries,
    maxConcurrency: concurrency,
    maxTokensField: o.maxTokensField,
    ...(maxPixels === undefined ? {} : { maxPixels }),
  });
  const prompt = promptStyle(o.prompt ?? "plain");
  const { origin, pathname } = new URL(endpoint);
  const address = `${origin}${pathname}`.replace(/\/+$/, "");
  return {
    source: endpointSource(client, { prompt, decoding: o.decoding(PLAIN_LENGTH), concurrency, ...withShots(o) }),
    subject: `${model} at ${address}`,
    prompt,
    images: { min_pixels: null, max_pixels: maxPixels ?? null },
    identity: { model, endpoint: address },
    embed: () => Promise.reject(new UserError("an endpoint gives no embeddings of images: name a checkpoint")),
    close: async () => {},
  };
}

function withShots({ shots }: Pick<AskedWith, "shots">): Pick<AskedWith, "shots"> {
  return shots === undefined ? {} : { shots };
}
