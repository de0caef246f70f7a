/** A Tinker server over a tiny golden checkpoint, and a client of its wire. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { startTinkerServer, type TinkerServeOptions } from "../../src/server/tinker/server.ts";
import {
  decodeForwardBackwardOutput,
  decodeSampleResponse,
  encodeForwardBackwardRequest,
  type ForwardBackwardOutput,
  type ForwardBackwardRequest,
  PROTOBUF,
  type SampleResponse,
} from "../../src/tinker/index.ts";
import { openEngine, type ServedEngine } from "./served.ts";

export type TinkerLimits = TinkerServeOptions["limits"];

const limits: TinkerLimits = {
  maxBodyBytes: 200_000,
  maxImagePixels: 1_000_000,
  maxCompletionLength: 50,
  maxPending: 64,
  maxModels: 50,
  maxSessions: 50,
  sessionTimeoutSeconds: 60,
};

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: JSON
  readonly body: any;
}

/** An engine and its server for the tests of one file, closed after them. */
export async function serveForTests() {
  const engine = await openEngine();
  const on = await serveTinkerEngine(engine);
  afterAll(async () => {
    await on.close();
    await engine.engine.close();
  });
  return { engine, on };
}

export async function serveTinkerEngine(
  { engine, processor }: ServedEngine,
  o: { readonly limits?: Partial<TinkerLimits>; readonly apiKey?: string | null; readonly store?: string } = {},
) {
  const store = o.store ?? mkdtempSync(join(tmpdir(), "viva-tinker-store-"));
  const failures: unknown[] = [];
  const { contextLength, policy, decode } = engine;
  const server = await startTinkerServer({
    host: "127.0.0.1",
    port: 0,
    apiKey: o.apiKey ?? null,
    store,
    model: {
      name: "tiny",
      tokenizer: "tiny",
      fingerprint: "fp_test",
      processor,
      engine: { contextLength, policy, decode },
      adapters: engine.adapters!,
    },
    limits: { ...limits, ...o.limits },
    onFailure: (_, fatal) => failures.push({ fatal }),
  });
  const url = (path: string) => `${server.baseUrl}/api/v1/${path}`;
  const send = async (path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> => {
    const sent = { "content-type": "application/json", ...headers };
    const response = await fetch(url(path), { method: "POST", headers: sent, body: JSON.stringify(body) });
    return { status: response.status, body: await response.json().catch(() => null) };
  };
  /** The result of a submitted request; JSON failures are thrown. */
  const result = async (request_id: string): Promise<Buffer | Answer["body"]> => {
    const response = await fetch(url("retrieve_future"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ request_id }),
    });
    if (response.headers.get("content-type") === PROTOBUF) return Buffer.from(await response.arrayBuffer());
    const body = (await response.json()) as Answer["body"];
    if (body.error !== undefined) throw new Error(`${body.category}: ${body.error}`);
    return body;
  };
  const submit = async (path: string, body: object): Promise<string> => {
    const answer = await send(path, body);
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.body?.detail}`);
    return answer.body.request_id;
  };
  const submitBatch = async (request: Partial<ForwardBackwardRequest>): Promise<string> => {
    const whole = { modelId: "", seqId: 1, data: [], lossFn: "cross_entropy", lossConfig: {}, forwardOnly: false };
    const body = encodeForwardBackwardRequest({ ...whole, ...request });
    const options = { method: "POST", headers: { "content-type": PROTOBUF }, body: Buffer.from(body) };
    const response = await fetch(url("forward_backward"), options);
    const answer = (await response.json()) as { request_id: string; detail?: string };
    if (response.status !== 200) throw new Error(`${response.status}: ${answer.detail}`);
    return answer.request_id;
  };
  return {
    server,
    failures,
    url,
    send,
    submit,
    submitBatch,
    result,
    session: async (): Promise<string> => (await send("create_session", { sdk_version: "test" })).body.session_id,
    model: async (session_id: string, model_seq_id = 0, lora: object = {}): Promise<string> => {
      const lora_config = { rank: 4, seed: 1, ...lora };
      const body = { session_id, model_seq_id, base_model: "tiny", lora_config };
      return (await result(await submit("create_model", body))).model_id;
    },
    batch: async (request: Partial<ForwardBackwardRequest>): Promise<ForwardBackwardOutput> => {
      return decodeForwardBackwardOutput(await result(await submitBatch(request)));
    },
    sample: async (body: object): Promise<SampleResponse> => {
      return decodeSampleResponse(await result(await submit("asample", body)));
    },
    close: async () => {
      await server.close();
      if (o.store === undefined) rmSync(store, { recursive: true, force: true });
    },
  };
}
