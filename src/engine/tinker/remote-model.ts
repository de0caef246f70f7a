/** One model on a server: LoRA weights, their gradients and optimiser. Its requests are numbered from 1, in the order sent. */

import { UserError } from "../../core/errors.ts";
import {
  type Chunk,
  type Datum,
  decodeForwardBackwardOutput,
  decodeSampleResponse,
  encodeForwardBackwardRequest,
  replies,
  type SampleResponse,
} from "../../tinker/index.ts";
import { type OptimStep, refusesAdapters } from "../engine.ts";
import { type Connection, parsed, type Result, ServerRefusal } from "./connection.ts";

/** Which loss of the server's, and with what numbers. */
export interface WireLoss {
  readonly lossFn: string;
  readonly lossConfig: Readonly<Record<string, number>>;
}

/** How one prompt is sampled. */
export interface WireSampling {
  readonly numSamples: number;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  /** 0 keeps all. */
  readonly topK: number;
  /** Of the first sample; the others' follow it. */
  readonly seed: number;
  readonly stopTokenIds: readonly number[];
}

/** Weights that are sampled from, as long as the model's have not changed. */
export type SamplerHandle = { readonly sampling_session_id: string } | { readonly model_path: string };

export interface RemoteModel {
  readonly id: string;
  /** What the server says of its adapters. */
  readonly lora: Readonly<Record<string, unknown>>;
  /** Log-probs of each datum's targets, and no gradient. */
  forward(data: readonly Datum[], loss: WireLoss): Promise<readonly (Float32Array | undefined)[]>;
  /** The same, and adds the gradient. */
  forwardBackward(data: readonly Datum[], loss: WireLoss): Promise<readonly (Float32Array | undefined)[]>;
  /** The gradient's norm as the server tells it; null where it does not. */
  optimStep(o: OptimStep): Promise<number | null>;
  /** Saves weights and optimiser under a name; returns the server's path. */
  saveState(name: string): Promise<string>;
  /** Into a model just made. */
  loadState(path: string, optimizer: boolean): Promise<void>;
  /** Weights for sampling: kept under a name, or as long as the session. */
  saveForSampling(name?: string): Promise<SamplerHandle>;
  sample(from: SamplerHandle, prompt: readonly Chunk[], o: WireSampling): Promise<SampleResponse>;
  unload(): Promise<void>;
}

export interface ModelRequest {
  readonly sessionId: string;
  /** Counts the session's models. */
  readonly modelSeqId: number;
  readonly baseModel: string;
  readonly rank: number;
  readonly seed: number;
}

/** SDKs cut batches at these sizes; servers expect no more. */
const MOST_DATA = 1024;
const MOST_BYTES = 5_000_000;

/** Makes a model with fresh adapters: on the layers that PEFT's all-linear names, which leaves out the output layer. */
export async function createRemoteModel(connection: Connection, o: ModelRequest): Promise<RemoteModel> {
  const made = await connection.submit("create_model", {
    type: "create_model",
    session_id: o.sessionId,
    model_seq_id: o.modelSeqId,
    base_model: o.baseModel,
    lora_config: { rank: o.rank, seed: o.seed, train_attn: true, train_mlp: true, train_unembed: false },
  });
  const json = jsonOf("create_model", made) as { readonly lora_config?: Readonly<Record<string, unknown>> };
  const { model_id: id } = parsed("create_model", json, replies.createdModel);
  let seqId = 0;
  let samplers = 0;
  let draws = 0;
  const numbered = () => ({ model_id: id, seq_id: ++seqId });

  const pass = async (data: readonly Datum[], loss: WireLoss, forwardOnly: boolean) => {
    const results: (Float32Array | undefined)[] = [];
    for (const part of parts(data)) {
      const request = { modelId: id, seqId: ++seqId, data: part, ...loss, forwardOnly };
      const result = await connection.submit("forward_backward", encodeForwardBackwardRequest(request));
      const { outputs } = decodeForwardBackwardOutput(binaryOf("forward_backward", result));
      for (const i of part.keys()) results.push(outputs[i]?.["logprobs"]);
    }
    return results;
  };
  return {
    id,
    lora: json.lora_config ?? {},
    forward: (data, loss) => pass(data, loss, true),
    forwardBackward: (data, loss) => pass(data, loss, false),
    async optimStep(adam) {
      const mask = adam.importanceMasking ?? "none";
      if (mask !== "none") throw new UserError(refusesAdapters(mask));
      const result = await connection.submit("optim_step", {
        ...numbered(),
        adam_params: {
          learning_rate: adam.learningRate,
          beta1: adam.beta1,
          beta2: adam.beta2,
          eps: adam.epsilon,
          weight_decay: adam.weightDecay,
          grad_clip_norm: adam.maxGradNorm,
        },
      });
      const { metrics } = parsed("optim_step", jsonOf("optim_step", result), replies.optimStepResult);
      return gradNormOf(metrics ?? {});
    },
    async saveState(name) {
      const result = await connection.submit("save_weights", { ...numbered(), path: name });
      return parsed("save_weights", jsonOf("save_weights", result), replies.savedWeights).path;
    },
    async loadState(path, optimizer) {
      await connection.submit("load_weights", { ...numbered(), path, optimizer });
    },
    async saveForSampling(name) {
      const kept = name === undefined ? { sampling_session_seq_id: ++samplers } : { path: name };
      const result = await connection.submit("save_weights_for_sampler", { ...numbered(), ...kept });
      const call = "save_weights_for_sampler";
      const saved = parsed(call, jsonOf(call, result), replies.savedForSampler);
      if (name === undefined && saved.sampling_session_id != null) {
        return { sampling_session_id: saved.sampling_session_id };
      }
      if (saved.path != null) return { model_path: saved.path };
      throw new ServerRefusal(`${call}: the answer names no weights`);
    },
    async sample(from, prompt, s) {
      const result = await connection.submit("asample", {
        ...from,
        seq_id: ++draws,
        prompt: { chunks: prompt.map(jsonChunk) },
        num_samples: s.numSamples,
        sampling_params: {
          max_tokens: s.maxTokens,
          seed: s.seed,
          temperature: s.temperature,
          top_p: s.topP,
          top_k: s.topK === 0 ? -1 : s.topK,
          stop: [...s.stopTokenIds],
        },
      });
      return decodeSampleResponse(binaryOf("asample", result));
    },
    async unload() {
      await connection.submit("unload_model", { model_id: id });
    },
  };
}

function jsonOf(call: string, result: Result): unknown {
  if ("json" in result) return result.json;
  throw new ServerRefusal(`${call}: the answer is no JSON`);
}

function binaryOf(call: string, result: Result): Uint8Array {
  if ("binary" in result) return result.binary;
  throw new ServerRefusal(`${call}: the answer is no binary message`);
}

/** Servers put a name of their own before or a way of reduction behind it. */
function gradNormOf(metrics: Readonly<Record<string, number>>): number | null {
  const found = Object.entries(metrics).find(([key]) => /(^|[/.])grad_norm(:\w+)?$/.test(key));
  return found?.[1] ?? null;
}

function jsonChunk(chunk: Chunk): object {
  if (chunk.type === "tokens") return { type: "encoded_text", tokens: [...chunk.tokens] };
  const { data, format, expectedTokens } = chunk;
  return { type: "image", data: Buffer.from(data).toString("base64"), format, expected_tokens: expectedTokens };
}

/** A batch in parts that a server takes. */
function* parts(data: readonly Datum[]): Generator<readonly Datum[]> {
  let part: Datum[] = [];
  let bytes = 0;
  for (const datum of data) {
    const size = sizeOf(datum);
    if (part.length > 0 && (part.length === MOST_DATA || bytes + size > MOST_BYTES)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(datum);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

function sizeOf({ chunks, inputs }: Datum): number {
  const chunkBytes = chunks.map((chunk) => (chunk.type === "tokens" ? chunk.tokens : chunk.data).byteLength);
  const arrayBytes = Object.values(inputs).map(({ data }) => data.byteLength);
  return [...chunkBytes, ...arrayBytes].reduce((a, b) => a + b, 0);
}
