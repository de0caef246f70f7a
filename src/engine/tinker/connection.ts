/**
 * A server of the Tinker API over HTTP. A request that got no answer is sent again under its own number, so that a server
 * does nothing twice; what it answers is a result, or one of two errors: it refused, or it is gone.
 */
import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import { messageOf, RunError, UserError } from "../../core/errors.ts";
import { PROTOBUF, replies } from "../../tinker/index.ts";
import type { EngineServer } from "../backend.ts";

/** The server answered that it does not do this; `message` is its own. */
export class ServerRefusal extends RunError {}

/** The result of a request: JSON, or a binary message. */
export type Result = { readonly json: unknown } | { readonly binary: Uint8Array };

export interface Connection {
  /** The address without path or credentials, for messages and records. */
  readonly origin: string;
  /** What goes with every request; holds the key. */
  readonly headers: Readonly<Record<string, string>>;
  /** The address of a call. */
  url(call: string): string;
  get<T>(call: string, reply: z.ZodType<T>): Promise<T>;
  /** A call that is answered at once. */
  post<T>(call: string, body: object, reply: z.ZodType<T>): Promise<T>;
  /** A call that is answered by a promise, whose result is then fetched; bytes are a binary body. */
  submit(call: string, body: object | Uint8Array): Promise<Result>;
  /** A file's content, be it at this address or where the answer points to. */
  download(call: string): Promise<Uint8Array>;
  remove(call: string): Promise<void>;
}

export interface ConnectionOptions {
  /** How long a server that does not answer is waited for. */
  readonly patienceSeconds?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A restart of a large model takes minutes. */
const PATIENCE_SECONDS = 900;
/** For the first answer of all: an address may be wrong. */
const FIRST_PATIENCE_SECONDS = 10;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
/** Answers that mean "not now": they are asked again like no answer. */
const NOT_NOW = [425, 429, 502, 503, 504];

/** Throws UserError for an address or a key that cannot be used; nothing is sent yet. */
export function openConnection(server: EngineServer, o: ConnectionOptions = {}): Connection {
  const { patienceSeconds = PATIENCE_SECONDS, env = process.env } = o;
  const base = addressOf(server.url);
  const headers: Record<string, string> = { accept: `${PROTOBUF}, application/json` };
  if (server.apiKeyEnv !== null) {
    const key = env[server.apiKeyEnv] ?? "";
    if (key === "") throw new UserError(`engine.api_key_env: the environment variable ${server.apiKeyEnv} is not set`);
    headers["x-api-key"] = key;
  }
  const url = (call: string) => `${base}/api/v1/${call}`;
  let wasHere = false;

  /** The first answer that is one; RunError where the server stays away. */
  const request = async (call: string, init: RequestInit): Promise<Response> => {
    const patience = wasHere ? patienceSeconds : Math.min(patienceSeconds, FIRST_PATIENCE_SECONDS);
    const deadline = performance.now() + 1000 * patience;
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      let reason: string;
      try {
        const response = await fetch(url(call), { ...init, headers: { ...headers, ...init.headers } });
        wasHere = true;
        if (!NOT_NOW.includes(response.status)) return response;
        reason = `answers ${response.status}`;
        await response.body?.cancel();
      } catch (error) {
        reason = `does not answer (${networkReason(error)})`;
      }
      if (performance.now() + wait > deadline) throw new RunError(`the server ${base} ${reason}`);
      await delay(wait);
    }
  };
  /** The key is for this server alone. */
  const fetchFile = async (address: URL): Promise<Response> => {
    try {
      return await fetch(address, address.origin === new URL(base).origin ? { headers } : {});
    } catch (error) {
      throw new RunError(`the archive at ${address.origin} cannot be read (${networkReason(error)})`);
    }
  };
  const post = (call: string, body: object | Uint8Array) => {
    const isBinary = body instanceof Uint8Array;
    return request(call, {
      method: "POST",
      body: isBinary ? new Uint8Array(body) : JSON.stringify(body),
      headers: { "content-type": isBinary ? PROTOBUF : "application/json" },
    });
  };
  const json = async <T>(call: string, response: Response, reply: z.ZodType<T>): Promise<T> => {
    const result = await resultOf(call, response);
    return parsed(call, "json" in result ? result.json : null, reply);
  };
  return {
    origin: base,
    headers,
    url,
    get: async (call, reply) => json(call, await request(call, { method: "GET" }), reply),
    post: async (call, body, reply) => json(call, await post(call, body), reply),
    async submit(call, body) {
      const { request_id } = await json(call, await post(call, body), replies.promise);
      for (;;) {
        const response = await post("retrieve_future", { request_id });
        if (response.status === 408) {
          await response.body?.cancel();
          continue;
        }
        const result = await resultOf(call, response);
        if ("binary" in result || !replies.tryAgain.safeParse(result.json).success) return result;
      }
    },
    async download(call) {
      const response = await request(call, { method: "GET", redirect: "manual" });
      const place = await placeOf(call, response);
      const file = place === null ? response : await fetchFile(new URL(place, url(call)));
      if (!file.ok) throw new ServerRefusal(`${call}: ${await refusalOf(file)}`);
      return new Uint8Array(await file.arrayBuffer());
    },
    async remove(call) {
      const response = await request(call, { method: "DELETE" });
      await response.body?.cancel();
    },
  };
}

/** JSON of a shape; a ServerRefusal names what is missing. */
export function parsed<T>(call: string, json: unknown, reply: z.ZodType<T>): T {
  const result = reply.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ServerRefusal(`${call}: the answer's ${issue!.path.join(".") || "body"} is not what it must be`);
}

async function resultOf(call: string, response: Response): Promise<Result> {
  if (!response.ok) throw new ServerRefusal(`${call}: ${await refusalOf(response)}`);
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith(PROTOBUF)) return { binary: new Uint8Array(await response.arrayBuffer()) };
  let json: unknown;
  try {
    json = await response.json();
  } catch (error) {
    throw new ServerRefusal(`${call}: the answer is no JSON (${messageOf(error)})`);
  }
  const failed = replies.failure.safeParse(json);
  if (failed.success) throw new ServerRefusal(`${call}: ${failed.data.error}`);
  return { json };
}

/** Where a file is that an answer names, by redirecting or in its JSON; null for the file itself. */
async function placeOf(call: string, response: Response): Promise<string | null> {
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    return response.headers.get("location");
  }
  if (!response.ok || !response.headers.get("content-type")?.startsWith("application/json")) return null;
  return parsed(call, await response.json(), z.object({ url: z.string() })).url;
}

/** What the server says of it, shortened. */
async function refusalOf(response: Response): Promise<string> {
  const text = await response.text();
  let said = text;
  try {
    const { detail, error, message } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const known = detail ?? error ?? message;
    if (known !== undefined) said = typeof known === "string" ? known : JSON.stringify(known);
  } catch {} // no JSON: the text itself
  return `${response.status} ${said.slice(0, 300)}`.trim();
}

function addressOf(address: string): string {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new UserError(`engine.url: "${address}" is no address; write one as http://localhost:8000`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new UserError(`engine.url: "${address}" must begin with http:// or https://`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new UserError("engine.url must hold no user name or password: name a variable in engine.api_key_env");
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "").replace(/\/api\/v1$/, "");
}

function networkReason(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code ?? messageOf(error);
}
