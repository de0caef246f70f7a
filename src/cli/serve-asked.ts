/** viva serve as asked: a model behind an OpenAI-compatible API or the Tinker API, or the rewards of a recipe. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { aborted } from "../core/aborted.ts";
import type { Device } from "../core/device.ts";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import type { ImageRef, Message } from "../core/records.ts";
import { reasonOf } from "../core/system-errors.ts";
import { darkImageNotice } from "../data/index.ts";
import { startServer } from "../server/server.ts";
import {
  encodeOptions,
  messagesInStyle,
  type OpenedCheckpoint,
  openCheckpoint,
  type PromptName,
  type PromptStyle,
  questionsAskedBy,
  viewOfRun,
} from "../session/checkpoint.ts";
import { hashModel } from "../session/content-hashes.ts";
import { controlled } from "../session/control.ts";
import { nameOfModel } from "../session/model-folder.ts";
import { viewedProcessor } from "../session/viewed-processor.ts";
import { controlAsked } from "./control-asked.ts";
import type { ControlCommandOptions } from "./control-options.ts";
import { downloadReporter, promptNames, type ViewOptions, viewAsked } from "./options.ts";
import { serveRewards } from "./serve-rewards.ts";
import { type ServeTinkerOptions, serveTinker } from "./serve-tinker.ts";

export interface ServeCommandOptions
  extends ViewOptions,
    ControlCommandOptions,
    Pick<ServeTinkerOptions, "store" | "maxModels" | "maxSessions" | "sessionTimeoutS"> {
  readonly rewards?: string;
  readonly set: readonly string[];
  readonly stage?: number;
  readonly maxRows: number;
  readonly tinker?: boolean;
  readonly host: string;
  readonly port: number;
  readonly apiKeyFile?: string;
  readonly modelName?: string;
  /** true: the run's own. */
  readonly promptStyle?: PromptName | true;
  readonly step?: number;
  readonly device: Device;
  readonly threads: number;
  readonly rows: number;
  readonly cacheGb: number;
  readonly maxQueue: number;
  readonly maxBodyMb: number;
  readonly maxImageMegapixels: number;
  readonly maxPromptTokens: number;
  readonly maxCompletionLength: number;
  readonly requestTimeoutS: number;
  readonly shutdownTimeoutS: number;
  readonly json?: boolean;
}

/** Serves until the signal. */
export async function serveAsked(
  checkpoint: string | undefined,
  options: ServeCommandOptions,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const { rewards, apiKeyFile } = options;
  if (rewards === undefined) return serve(requireCheckpoint(checkpoint), options, version, signal);
  if (checkpoint !== undefined) {
    throw new UserError(`serve: a checkpoint (${checkpoint}) or --rewards, not both: start a server for each`);
  }
  const apiKey = readApiKey(apiKeyFile, process.env["VIVA_API_KEY"]);
  return serveRewards(rewards, { ...options, apiKey }, signal);
}

function requireCheckpoint(checkpoint: string | undefined): string {
  if (checkpoint !== undefined) return checkpoint;
  throw new UserError("serve: name a checkpoint to serve, or a recipe with --rewards");
}

async function serve(
  checkpoint: string,
  options: ServeCommandOptions,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const apiKey = readApiKey(options.apiKeyFile, process.env["VIVA_API_KEY"]);
  const { step, device, threads, rows, promptStyle: style } = options;
  if (style === true && questionsAskedBy(checkpoint).prompt === undefined) {
    throw new UserError(
      `--prompt-style: ${checkpoint} belongs to no run, so name the style: ${promptNames.join(", ")}`,
    );
  }
  if (options.tinker && (options.stop ?? options.route) !== undefined) {
    throw new UserError(
      "--stop and --route answer chats: a Tinker client decides itself what is sampled, so leave them out",
    );
  }
  const live = { rows, cacheBytes: options.cacheGb * 1e9 };
  const named = style === undefined || style === true ? {} : { prompt: style };
  const opening = { engine: "local", device, threads, live, reporter: downloadReporter(), signal, ...named } as const;
  const opened = await openCheckpoint(checkpoint, { ...opening, ...(step === undefined ? {} : { step }) });
  try {
    if (options.tinker) {
      const own = { ...options, apiKey, name: options.modelName ?? nameOfModel(checkpoint) };
      const fingerprint = await fingerprintOf(opened, []);
      await serveTinker(opened, { ...own, fingerprint }, aborted(signal));
    } else await serveOpened(opened, checkpoint, { ...options, apiKey, version }, signal);
  } finally {
    await opened.engine.close();
  }
}

async function serveOpened(
  opened: OpenedCheckpoint,
  checkpoint: string,
  o: ServeCommandOptions & { readonly apiKey: string | null; readonly version: string },
  signal: AbortSignal,
): Promise<void> {
  const { engine } = opened;
  const control = controlAsked(o);
  if (control.stop?.stop === "options") {
    throw new UserError("--stop options: chats do not say which answers there are: take --stop confidence");
  }
  const { decode, processor, identity } = await controlled(opened, control);
  if (decode === undefined)
    throw new UserError("serve: this engine answers whole batches alone, so it cannot be served");
  const style = o.promptStyle === undefined ? null : opened.prompt;
  const name = o.modelName ?? nameOfModel(checkpoint);
  const ended = new AbortController();
  let fatal: unknown = null;
  const server = await startServer({
    host: o.host,
    port: o.port,
    apiKey: o.apiKey,
    model: {
      name,
      created: Math.floor(Date.now() / 1000),
      fingerprint: await fingerprintOf(opened, [
        o.device,
        o.version,
        ...(style === null ? [] : [JSON.stringify(style)]),
        ...Object.values(identity),
      ]),
      contextLength: engine.contextLength,
      processor: viewedProcessor(processor, viewAsked(o, viewOfRun(opened)), tellDarkOnce()),
      engine: { decode },
      ...(style === null ? {} : { prompt: servedPrompt(style) }),
    },
    limits: {
      maxQueue: o.maxQueue,
      maxBodyBytes: Math.ceil(o.maxBodyMb * 1e6),
      maxImagePixels: o.maxImageMegapixels * 1e6,
      maxPromptTokens: o.maxPromptTokens,
      maxCompletionLength: o.maxCompletionLength,
      requestTimeoutSeconds: o.requestTimeoutS,
    },
    onFailure: (error, isFatal) => {
      console.error(`error: ${messageOf(error)}`);
      if (!isFatal) return;
      fatal ??= error;
      ended.abort();
    },
  });
  const { baseUrl } = server;
  if (style === null && opened.recipe !== null && opened.prompt.style !== "plain") {
    console.error(
      `messages go to the model as they are; the run was trained with the prompt ${opened.prompt.style}, in which --prompt-style puts their questions`,
    );
  }
  if (o.json) console.log(JSON.stringify({ base_url: baseUrl, model: name, api_key: o.apiKey !== null }));
  else console.log(`serving ${name} at ${baseUrl}${o.apiKey === null ? "" : ", with an API key"}; Ctrl-C stops`);
  await aborted(AbortSignal.any([signal, ended.signal]));
  await server.close(fatal === null ? o.shutdownTimeoutS : 0);
  if (fatal !== null) throw new RunError(`the server stopped: ${messageOf(fatal)}`, { cause: fatal });
}

function servedPrompt(style: PromptStyle) {
  return {
    arrange: (messages: readonly Message[]) => messagesInStyle(messages, style),
    encoding: encodeOptions(style),
  };
}

/** The first image that would come out dark is told on stderr. */
function tellDarkOnce(): (image: ImageRef) => Promise<void> {
  let told = false;
  return async (image) => {
    const notice = told ? null : await darkImageNotice(image);
    if (notice === null) return;
    told = true;
    console.error(
      `warning: ${notice.replace(/set (image_range|window):/, (_, key: string) => `set --${key.replace("_", "-")}`)}`,
    );
  };
}

/** The key of a file, or of the environment; null for none. Neither it nor a part of it is in any message. */
function readApiKey(file: string | undefined, fromEnvironment: string | undefined): string | null {
  const where = file === undefined ? "VIVA_API_KEY" : `--api-key-file ${file}`;
  const key = file === undefined ? fromEnvironment?.trim() : readKeyFile(file).trim();
  if (key === undefined) return null;
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UserError(
    `${where}: ${key === "" ? "the key is empty" : "a key is one word of printable ASCII characters"}`,
  );
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new UserError(`--api-key-file ${file} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** Tells apart whatever changes answers: the weights, the processor's files, viva's version, the device. */
async function fingerprintOf({ folder, base }: OpenedCheckpoint, more: readonly string[]): Promise<string> {
  const parts = [...(folder === base ? [] : [await hashModel(base)]), await hashModel(folder), ...more];
  return `fp_${createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 12)}`;
}
