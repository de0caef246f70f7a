/**
 * A small server of the Tinker API for tests: a table of bigrams that learns, with every way of adding up gradients, every
 * omission and every failure that real servers were seen to have. Whatever it does otherwise than Tinker is a field of Ways.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import sharp from "sharp";
import {
  type Chunk,
  decodeForwardBackwardRequest,
  encodeForwardBackwardOutput,
  encodeSampleResponse,
  type ForwardBackwardRequest,
  PROTOBUF,
} from "../../../src/tinker/index.ts";
import { type Adam, Bigrams, type Losses } from "./bigrams.ts";

/** How this server differs from Tinker's own. */
export interface Ways extends Losses {
  readonly inheritsGradients?: boolean;
  readonly keepsMoments?: boolean;
  /** Weight decay shrinks the adapters of all models. */
  readonly decaysAll?: boolean;
  /** Models at a time. */
  readonly places?: number;
  readonly images?: "seen" | "left_out" | "uncounted";
  readonly leavesOutStop?: boolean;
  /** Fields of the optimiser that it does not read. */
  readonly ignores?: readonly (keyof Adam)[];
  /** Added to log-probs of sampling. */
  readonly samplerOff?: number;
  readonly tellsNoNorm?: boolean;
}

export interface FakeServer {
  readonly url: string;
  /** Calls by name, as they came. */
  readonly calls: readonly string[];
  /** Bodies of calls, by name. */
  readonly bodies: Readonly<Record<string, readonly Record<string, unknown>[]>>;
  /** Requests of forward_backward. */
  readonly passes: readonly ForwardBackwardRequest[];
  /** As a restart does: models, sessions and promises are gone, what was saved is not. */
  restart(): void;
  /** Paths of saved states. */
  states(): readonly string[];
  loseStates(): void;
  /** The next answer of this call is cut off after the work was done, as by a broken connection. */
  breakAfter(call: string): void;
  /** Restarts in the middle of the next call of this name: before its work, or after it. */
  restartAt(call: string, when: "before" | "after"): void;
  close(): Promise<void>;
}

export const FAKE_MODEL = "fake/bigrams";
/** Pixels of a side that one token of an image stands for. */
const SIDE = 28;

class Refusal extends Error {}

/** Starts on loopback. */
export async function startFakeServer(ways: Ways = {}): Promise<FakeServer> {
  const calls: string[] = [];
  const bodies: Record<string, Record<string, unknown>[]> = {};
  const passes: ForwardBackwardRequest[] = [];
  const states = new Map<string, Bigrams>();
  let leftover: Float64Array | null = null;
  let models = new Map<string, Bigrams>();
  let samplers = new Map<string, Bigrams>();
  let promises = new Map<string, () => Promise<Uint8Array | object>>();
  let sessions = new Set<string>();
  let seen = new Map<string, string>();
  let counter = 0;
  let broken: string | null = null;
  let restartAt: { readonly call: string; readonly when: "before" | "after" } | null = null;
  const id = (kind: string) => `${kind}-${++counter}`;

  const modelOf = (modelId: unknown): Bigrams => {
    const model = models.get(String(modelId));
    if (model === undefined) throw new Refusal(`model ${modelId} is not loaded`);
    return model;
  };
  const restart = () => {
    models = new Map();
    samplers = new Map();
    promises = new Map();
    sessions = new Set();
    seen = new Map();
  };

  /** Tokens with −1 for those of an image, and how bright the images are. */
  const layOut = async (chunks: readonly Chunk[]) => {
    const tokens: number[] = [];
    let brightness = 0;
    for (const chunk of chunks) {
      if (chunk.type === "tokens") tokens.push(...chunk.tokens);
      else if (ways.images !== "left_out") {
        const { data, info } = await sharp(chunk.data).raw().toBuffer({ resolveWithObject: true });
        const count = (info.width / SIDE) * (info.height / SIDE);
        if (ways.images !== "uncounted" && chunk.expectedTokens !== count) {
          throw new Refusal(`the image has ${count} tokens, expected_tokens is ${chunk.expectedTokens}`);
        }
        tokens.push(...Array<number>(chunk.expectedTokens ?? count).fill(-1));
        brightness += data.reduce((a, b) => a + b, 0) / data.length / 255;
      }
    }
    return { tokens, brightness };
  };

  const pass = async (request: ForwardBackwardRequest): Promise<Uint8Array> => {
    const model = modelOf(request.modelId);
    const outputs: Record<string, Float32Array>[] = [];
    for (const { chunks, inputs } of request.data) {
      const { tokens, brightness } = await layOut(chunks);
      const targets = [...inputs["target_tokens"]!.data].slice(0, tokens.length);
      const column = (name: string, otherwise: number) => {
        return inputs[name]?.data ?? new Float32Array(targets.length).fill(otherwise);
      };
      const loss = { name: request.lossFn, config: request.lossConfig as Readonly<Record<string, number>> };
      const columns = {
        weights: column("weights", 1),
        advantages: column("advantages", 0),
        oldLogProbs: column("logprobs", 0),
      };
      const logProbs = model.pass({ tokens, targets, brightness, loss, columns, backward: !request.forwardOnly });
      outputs.push({ logprobs: logProbs });
    }
    return encodeForwardBackwardOutput({ outputs, metrics: {} });
  };

  const work: Record<string, (body: Record<string, unknown>) => Promise<Uint8Array | object>> = {
    async create_model(body) {
      if (body["base_model"] !== FAKE_MODEL) throw new Refusal(`no model ${body["base_model"]}`);
      if (!sessions.has(String(body["session_id"]))) throw new Refusal("the session is unknown");
      if (models.size >= (ways.places ?? 8)) throw new Refusal("no place for another model");
      const modelId = id("model");
      models.set(modelId, new Bigrams(ways, leftover));
      return { model_id: modelId, lora_config: { rank: 8, alpha: 32 } };
    },
    async unload_model({ model_id }) {
      const model = modelOf(model_id);
      if (ways.inheritsGradients) leftover = model.gradient.slice();
      models.delete(String(model_id));
      return {};
    },
    async optim_step({ model_id, adam_params }) {
      const adam = adam_params as Adam;
      const norm = modelOf(model_id).update(adam, ways.ignores ?? []);
      const others = ways.decaysAll ? [...models].filter(([id]) => id !== model_id) : [];
      for (const [, other] of others) other.shrink(1 - adam.learning_rate * adam.weight_decay);
      leftover = null;
      return { metrics: ways.tellsNoNorm ? {} : { "fake/grad_norm:mean": norm } };
    },
    async save_weights({ model_id, path }) {
      const address = `tinker://${model_id}/weights/${path}`;
      states.set(address, modelOf(model_id).copy());
      return { path: address };
    },
    async load_weights({ model_id, path, optimizer }) {
      const state = states.get(String(path));
      if (state === undefined) throw new Refusal(`no checkpoint ${path}`);
      modelOf(model_id).restore(state, optimizer === true || ways.keepsMoments === true);
      return { path };
    },
    async save_weights_for_sampler({ model_id, path }) {
      const key = path === undefined ? id("sampler") : `tinker://${model_id}/sampler_weights/${path}`;
      samplers.set(key, modelOf(model_id).copy());
      return path === undefined ? { sampling_session_id: key } : { path: key };
    },
    async asample(body) {
      const model = samplers.get(String(body["sampling_session_id"] ?? body["model_path"]));
      if (model === undefined) throw new Refusal("the sampler is gone");
      const { chunks } = body["prompt"] as { readonly chunks: readonly Record<string, unknown>[] };
      const { tokens, brightness } = await layOut(chunks.map(chunkOf));
      const o = body["sampling_params"] as Parameters<Bigrams["sample"]>[2];
      const sequences = Array.from({ length: Number(body["num_samples"]) }, (_, i) => {
        const sequence = model.sample(tokens, brightness, { ...o, seed: o.seed + i });
        const off = ways.samplerOff ?? 0;
        const logProbs = sequence.logProbs.map((value) => value + off);
        const cut = ways.leavesOutStop && sequence.stopReason === "stop" ? -1 : undefined;
        return { ...sequence, tokens: sequence.tokens.slice(0, cut), logProbs: logProbs.slice(0, cut) };
      });
      return encodeSampleResponse({ sequences, promptLogProbs: null });
    },
  };

  const answer = async (call: string, body: Buffer, isBinary: boolean): Promise<Uint8Array | object> => {
    if (call === "get_server_capabilities") {
      return { supported_models: [{ model_name: FAKE_MODEL, max_context_length: 1024 }] };
    }
    if (call === "retrieve_future") {
      const { request_id } = JSON.parse(body.toString()) as { readonly request_id: string };
      const promise = promises.get(request_id);
      if (promise === undefined) throw new Refusal("the promise is unknown");
      return promise();
    }
    const json = isBinary ? null : (JSON.parse(body.toString() || "{}") as Record<string, unknown>);
    if (json !== null) bodies[call] = [...(bodies[call] ?? []), json];
    if (call === "create_session") {
      const session = id("session");
      sessions.add(session);
      return { session_id: session };
    }
    if (call === "session_heartbeat") return {};
    const request = isBinary ? decodeForwardBackwardRequest(body) : null;
    if (request !== null) passes.push(request);
    const numbered = request === null ? json! : { model_id: request.modelId, seq_id: request.seqId };
    const key =
      numbered["seq_id"] === undefined
        ? null
        : `${numbered["model_id"] ?? numbered["sampling_session_id"]}/${numbered["seq_id"]}`;
    const before = key === null ? undefined : seen.get(key);
    if (before !== undefined) return { request_id: before };
    const result = request === null ? work[call]!(json!) : pass(request);
    result.catch(() => {}); // told when it is asked for
    const requestId = id("promise");
    promises.set(requestId, () => result);
    if (key !== null) seen.set(key, requestId);
    await result.catch(() => {});
    return { request_id: requestId };
  };

  const server: Server = createServer(async (request, response) => {
    const body = await read(request);
    const call = request.url!.replace("/api/v1/", "");
    calls.push(call);
    const isDue = restartAt?.call === call ? restartAt.when : null;
    if (isDue !== null) restartAt = null;
    if (isDue === "before") restart();
    const isBinary = request.headers["content-type"] === PROTOBUF;
    const send = (status: number, content: Uint8Array | object) => {
      const bytes = content instanceof Uint8Array;
      response.writeHead(status, { "content-type": bytes ? PROTOBUF : "application/json" });
      response.end(bytes ? content : JSON.stringify(content));
    };
    try {
      if (request.method === "DELETE") {
        const [, model, ...name] = /^training_runs\/(.*)\/checkpoints\/(.*)$/.exec(call)!;
        states.delete(`tinker://${model}/${name.join("/")}`);
        return send(200, {});
      }
      if (call.endsWith("/archive")) throw new Refusal("there is no archive");
      const content = await answer(call, body, isBinary);
      if (isDue === "after") restart();
      if (broken === call) {
        broken = null;
        response.destroy();
        return;
      }
      send(200, content);
    } catch (error) {
      const status = error instanceof Refusal ? 400 : 500;
      send(status, { detail: error instanceof Error ? error.message : String(error) });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ calls, bodies, passes, restart },
    states: () => [...states.keys()],
    loseStates: () => states.clear(),
    breakAfter: (call) => {
      broken = call;
    },
    restartAt: (call, when) => {
      restartAt = { call, when };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function chunkOf(chunk: Readonly<Record<string, unknown>>): Chunk {
  if (chunk["type"] === "encoded_text") {
    return { type: "tokens", tokens: Int32Array.from(chunk["tokens"] as readonly number[]) };
  }
  const data = Buffer.from(String(chunk["data"]), "base64");
  return { type: "image", data, format: "png", expectedTokens: Number(chunk["expected_tokens"]) };
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
