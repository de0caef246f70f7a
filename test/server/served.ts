/** A server over a tiny golden checkpoint (150,000 weights, a context of 512 tokens), and clients of it. */
import OpenAI from "openai";
import sharp from "sharp";
import { encodeOptions, messagesInStyle, type PromptStyle } from "../../src/answers/prompts.ts";
import type { Message } from "../../src/core/records.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local/local-engine.ts";
import { openProcessor } from "../../src/models/index.ts";
import { type RunningServer, type ServeOptions, startServer } from "../../src/server/server.ts";
import { goldenCase } from "../parity/golden.ts";

export const checkpoint = goldenCase("grouped_tied").checkpoint;

export type Limits = ServeOptions["limits"];

const limits: Limits = {
  maxQueue: 128,
  maxBodyBytes: 1_000_000,
  maxImagePixels: 1_000_000,
  maxPromptTokens: 400,
  maxCompletionLength: 200,
  requestTimeoutSeconds: 60,
};

export interface ServedEngine {
  readonly engine: LocalEngine;
  readonly processor: Awaited<ReturnType<typeof openProcessor>>;
}

export async function openEngine(rows = 8): Promise<ServedEngine> {
  const processor = await openProcessor(checkpoint);
  const options = { modelFolder: checkpoint, initialise: "pretrained", seed: 0, freeze: [], threads: 1 } as const;
  const engine = await openLocalEngine({ ...options, microBatchTokens: 1024, rows }, processor);
  return { engine, processor };
}

export interface Served {
  readonly server: RunningServer;
  /** The official client, without retries. */
  readonly client: OpenAI;
  readonly failures: unknown[];
}

export async function serveEngine(
  { engine, processor }: ServedEngine,
  o: { readonly limits?: Partial<Limits>; readonly apiKey?: string | null; readonly prompt?: PromptStyle } = {},
): Promise<Served> {
  const failures: unknown[] = [];
  const { apiKey = null, prompt: style } = o;
  const arrange = (messages: readonly Message[]) => messagesInStyle(messages, style!);
  const prompt = style === undefined ? {} : { prompt: { arrange, encoding: encodeOptions(style) } };
  const { contextLength } = engine;
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    apiKey,
    model: {
      name: "tiny",
      created: 1_700_000_000,
      fingerprint: "fp_test",
      contextLength,
      processor,
      ...prompt,
      engine,
    },
    limits: { ...limits, ...o.limits },
    onFailure: (error) => failures.push(error),
  });
  const client = new OpenAI({ baseURL: server.baseUrl, apiKey: apiKey ?? "none", maxRetries: 0 });
  return { server, client, failures };
}

/** A film of one grey, as a data URL. */
export async function film(grey: number, side = 56): Promise<string> {
  const background = { r: grey, g: grey, b: grey };
  const png = await sharp({ create: { width: side, height: side, channels: 3, background } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
}

export const image = (url: string) => ({ type: "image_url", image_url: { url } }) as const;
export const text = (words: string) => ({ type: "text", text: words }) as const;

/** Waits until something holds; fails after ten seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const start = Date.now();
  while (!holds()) {
    if (Date.now() - start > 10_000) throw new Error("it did not come about within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
