/** viva serve --tinker: a model behind the Tinker API, for training and sampling. */
import { resolve } from "node:path";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import { startTinkerServer } from "../server/tinker/server.ts";
import type { OpenedCheckpoint } from "../session/checkpoint.ts";

export interface ServeTinkerOptions {
  readonly name: string;
  readonly fingerprint: string;
  readonly host: string;
  readonly port: number;
  readonly apiKey: string | null;
  readonly store: string;
  readonly maxModels: number;
  readonly maxSessions: number;
  readonly sessionTimeoutS: number;
  readonly maxQueue: number;
  readonly maxBodyMb: number;
  readonly maxImageMegapixels: number;
  readonly maxCompletionLength: number;
  readonly imageRange?: readonly [number, number];
  readonly json?: boolean;
}

/** Serves until the signal. Throws UserError for a checkpoint that is an adapter: adapters are made on a whole model. */
export async function serveTinker(
  { engine, processor, folder, base }: OpenedCheckpoint,
  o: ServeTinkerOptions,
  ended: Promise<unknown>,
): Promise<void> {
  const { adapters } = engine;
  if (folder !== base) {
    throw new UserError(
      `--tinker trains adapters of its own: name the whole model (${base}), or export one that holds both`,
    );
  }
  if (adapters === undefined) throw new UserError("--tinker: this engine holds one set of weights only");
  const died = new AbortController();
  const server = await startTinkerServer({
    host: o.host,
    port: o.port,
    apiKey: o.apiKey,
    store: resolve(o.store),
    model: {
      name: o.name,
      tokenizer: resolve(folder),
      fingerprint: o.fingerprint,
      processor: inRange(processor, o.imageRange ?? null),
      engine,
      adapters,
    },
    limits: {
      maxBodyBytes: Math.ceil(o.maxBodyMb * 1e6),
      maxImagePixels: o.maxImageMegapixels * 1e6,
      maxCompletionLength: o.maxCompletionLength,
      maxPending: o.maxQueue,
      maxModels: o.maxModels,
      maxSessions: o.maxSessions,
      sessionTimeoutSeconds: o.sessionTimeoutS,
    },
    onFailure: (error, fatal) => {
      console.error(`error: ${messageOf(error)}`);
      if (fatal) died.abort();
    },
  });
  const { baseUrl } = server;
  if (o.json) console.log(JSON.stringify({ base_url: baseUrl, model: o.name, api_key: o.apiKey !== null }));
  else {
    const key = o.apiKey === null ? "" : ", with an API key";
    console.log(`serving ${o.name} to Tinker clients at ${baseUrl}${key}; Ctrl-C stops`);
  }
  await Promise.race([ended, new Promise((resolve) => died.signal.addEventListener("abort", resolve))]);
  await server.close();
  if (died.signal.aborted) throw new RunError("the server stopped: its engine ended");
}

/** Gives 16-bit images the values that become black and white. */
function inRange(processor: Processor, range: readonly [number, number] | null): Processor {
  if (range === null) return processor;
  return { ...processor, encodeImage: (ref) => processor.encodeImage({ ...ref, range }) };
}
