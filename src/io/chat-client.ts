/**
 * A language model behind the OpenAI chat completions API: bounded concurrency, time-outs, retries with back-off. Keys stand
 * in no message and no event.
 */
import { setTimeout as delay } from "node:timers/promises";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import type { ImageRef, Message } from "../core/records.ts";
import { decodeImage, encodePng } from "./images.ts";
import { fitPixels } from "./resize.ts";

export interface ChatClientOptions {
  /** The address before /chat/completions. */
  readonly baseUrl: string;
  /** How a message calls the address; "base_url" by default. */
  readonly addressKey?: string;
  readonly model: string;
  /** Sent as a bearer token; null sends none. */
  readonly apiKey: string | null;
  /** For one attempt. */
  readonly timeoutSeconds: number;
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** Requests under way at the same time, those that wait for a retry included. */
  readonly maxConcurrency: number;
  /** Larger images are scaled down to this many pixels before they are sent; absent: sent as they are. */
  readonly maxPixels?: number;
  /** Waits between attempts, for tests; a timer otherwise. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** How a completion is drawn; what is absent is left to the server. */
export interface ChatSampling {
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
}

export interface ChatReply {
  readonly text: string;
  /** Null where the server gives another reason or none. */
  readonly finishReason: "stop" | "length" | null;
  /** Completion tokens; null where the server does not tell. */
  readonly tokens: number | null;
}

export interface ChatClient {
  /** The JSON that asks for a completion; images are read here. */
  body(messages: readonly Message[], sampling: ChatSampling): Promise<string>;
  /** The reply to a body; rejects with EndpointError when all attempts fail, and with the signal's reason when it is aborted. */
  send(body: string, signal?: AbortSignal): Promise<ChatReply>;
}

/** No reply after all attempts; the message names model, address and reason. */
export class EndpointError extends RunError {
  /** The reason alone, the same for failures of one kind: "answered 500", "no reply within 60 s". */
  readonly reason: string;
  /** Every other request would fail the same way: a refused key, an unknown model, nobody listening. */
  readonly hopeless: boolean;

  constructor(message: string, o: { readonly reason: string; readonly hopeless: boolean }) {
    super(message);
    this.reason = o.reason;
    this.hopeless = o.hopeless;
  }
}

/** Throws UserError for an address that is none. Nothing is sent before the first `send`. */
export function openChatClient(o: ChatClientOptions): ChatClient {
  const url = endpoint(o.baseUrl, o.addressKey ?? "base_url");
  const withSlot = limiter(o.maxConcurrency);
  return {
    async body(messages, { maxTokens, temperature, topP, topK, seed }) {
      return JSON.stringify({
        model: o.model,
        messages: await Promise.all(messages.map((message) => wireMessage(message, o.maxPixels))),
        temperature,
        max_tokens: maxTokens,
        top_p: topP,
        top_k: topK,
        seed,
      });
    },
    send: (body, signal) => withSlot(() => attempts(url, body, o, signal)),
  };
}

/** What is wrong with an attempt, and whether another one may help. */
class AttemptError extends Error {
  override readonly name = "AttemptError";
  readonly retry: boolean;
  /** Milliseconds the server asked to wait. */
  readonly wait: number | null;
  readonly hopeless: boolean;
  /** The message without what the server wrote. */
  readonly reason: string;

  constructor(
    message: string,
    o: {
      readonly retry: boolean;
      readonly wait?: number | null;
      readonly hopeless?: boolean;
      readonly reason?: string;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: o.cause });
    this.retry = o.retry;
    this.wait = o.wait ?? null;
    this.hopeless = o.hopeless ?? false;
    this.reason = o.reason ?? message;
  }
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** Codes by which a server says that it could answer later. */
const LATER = new Set([408, 409, 425, 429, 500, 502, 503, 504, 529]);
/** Codes that say nothing of the question asked: the key, the address or the model is wrong. */
const HOPELESS = new Set([401, 403, 404, 405]);
const NOBODY_THERE = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|bad port)$|CERT|TLS|SSL|SELF_SIGNED/;

async function attempts(url: URL, body: string, o: ChatClientOptions, signal?: AbortSignal): Promise<ChatReply> {
  const sleep = o.sleep ?? ((ms: number) => delay(ms, undefined, signal === undefined ? {} : { signal }));
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await attemptOnce(url, body, o, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof AttemptError)) throw error;
      const { retry, wait, message, reason, hopeless } = error;
      if (!retry || attempt >= o.maxRetries) {
        const times = attempt === 0 ? "" : ` (${attempt + 1} attempts)`;
        const sentence = withoutKey(`model ${o.model} at ${shown(url)}: ${message}${times}`, o.apiKey);
        throw new EndpointError(sentence, { reason, hopeless });
      }
      await sleep(Math.min(wait ?? FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS));
    }
  }
}

async function attemptOnce(url: URL, body: string, o: ChatClientOptions, signal?: AbortSignal): Promise<ChatReply> {
  let response: Response;
  let text: string;
  const late = AbortSignal.timeout(o.timeoutSeconds * 1000); // of the headers and of the body
  try {
    response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(o.apiKey === null ? {} : { authorization: `Bearer ${o.apiKey}` }),
      },
      body,
      signal: signal === undefined ? late : AbortSignal.any([late, signal]),
    });
    text = await response.text();
  } catch (error) {
    const code = networkReason(error);
    const reason = late.aborted ? `no reply within ${o.timeoutSeconds} s` : `cannot be reached: ${code}`;
    throw new AttemptError(reason, { retry: true, hopeless: !late.aborted && NOBODY_THERE.test(code), cause: error });
  }
  const { status } = response;
  if (!response.ok) {
    const excerpt = text.replace(/\s+/g, " ").slice(0, 200);
    const wait = retryAfter(response.headers.get("retry-after"));
    const about = { retry: LATER.has(status), wait, hopeless: HOPELESS.has(status), reason: `answered ${status}` };
    throw new AttemptError(`answered ${status} ${excerpt}`, about);
  }
  const reply = replyOf(text);
  if (reply === null) throw new AttemptError("answered with something that is no chat completion", { retry: true });
  return reply;
}

interface WireReply {
  readonly choices?: readonly { readonly message?: { readonly content?: unknown }; readonly finish_reason?: unknown }[];
  readonly usage?: { readonly completion_tokens?: unknown };
}

/** The first choice; null where the body has none. */
function replyOf(body: string): ChatReply | null {
  try {
    const { choices, usage } = JSON.parse(body) as WireReply;
    const text = choices?.[0]?.message?.content;
    if (typeof text !== "string") return null;
    const [reason, tokens] = [choices?.[0]?.finish_reason, usage?.completion_tokens];
    return {
      text,
      finishReason: reason === "stop" || reason === "length" ? reason : null,
      tokens: typeof tokens === "number" ? tokens : null,
    };
  } catch {
    return null;
  }
}

/** Milliseconds of a Retry-After header, which holds seconds or a date; null where there is none to be read. */
function retryAfter(value: string | null): number | null {
  if (value === null) return null;
  const ms = /^\d+(?:\.\d+)?$/.test(value.trim()) ? 1000 * Number(value) : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/** "fetch failed" says nothing; what caused it does. */
function networkReason(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code ?? messageOf(cause ?? error);
}

function endpoint(baseUrl: string, key: string): URL {
  const base = baseUrl.replace(/\/+$/, "");
  const url = URL.canParse(base) ? new URL(`${base}/chat/completions`) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UserError(`${key}: ${baseUrl} is no http address; expected one such as http://localhost:8000/v1`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new UserError(
      `${key}: leave the password out of the address and name an environment variable that holds the key`,
    );
  }
  return url;
}

/** Without a query, which may hold a key. */
function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/\/chat\/completions$/, "")}`;
}

function withoutKey(message: string, key: string | null): string {
  return key === null || key === "" ? message : message.replaceAll(key, "***");
}

/** Runs at most `most` tasks at a time, in the order they came. */
function limiter(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running >= most) await new Promise<void>((go) => waiting.push(go));
    else running++;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next(); // the slot passes on
    }
  };
}

async function wireMessage({ role, content }: Message, maxPixels?: number): Promise<object> {
  const isText = content.every(({ type }) => type === "text");
  if (isText) return { role, content: content.map((part) => (part.type === "text" ? part.text : "")).join("") };
  const parts = content.map(async (part) =>
    part.type === "text"
      ? { type: "text", text: part.text }
      : { type: "image_url", image_url: { url: await dataUrl(part.image, maxPixels) } },
  );
  return { role, content: await Promise.all(parts) };
}

/** The image as shown to the policy before its resize, as a PNG data URL. */
async function dataUrl(ref: ImageRef, maxPixels?: number): Promise<string> {
  const { image } = await decodeImage(ref);
  const sent = maxPixels === undefined ? image : fitPixels(image, maxPixels);
  return `data:image/png;base64,${Buffer.from(await encodePng(sent)).toString("base64")}`;
}
