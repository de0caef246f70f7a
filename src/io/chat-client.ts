/**
 * A language model behind the OpenAI chat completions API: bounded concurrency, time-outs, retries with back-off. Keys stand
 * in no message and no event.
 */
import { setTimeout as delay } from "node:timers/promises";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import type { ImageRef, Message } from "../core/records.ts";
import { type ChatReply, errorCode, errorText, excerpt, jsonOf, replyOf } from "./chat-reply.ts";
import { decodeImage, encodePng } from "./images.ts";
import type { MaxTokensField } from "./max-tokens-field.ts";
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
  /** What the server calls the limit on tokens; absent: max_tokens. */
  readonly maxTokensField?: MaxTokensField;
  /** Waits between attempts, for tests; a timer otherwise. */
  readonly sleep?: (ms: number) => Promise<void>;
}

export type { ChatReply } from "./chat-reply.ts";

/** How a completion is drawn; what is absent is left to the server. */
export interface ChatSampling {
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
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
  /** What the server itself said, where it did. */
  readonly detail: string | null;
  /** Every other request would fail the same way: a refused key, an unknown model, nobody listening. */
  readonly hopeless: boolean;

  constructor(
    message: string,
    o: { readonly reason: string; readonly detail: string | null; readonly hopeless: boolean },
  ) {
    super(message);
    this.reason = o.reason;
    this.detail = o.detail;
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
        [o.maxTokensField ?? "max_tokens"]: maxTokens,
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
  /** What the server itself said; the message is the kind of failure alone. */
  readonly detail: string | null;

  constructor(
    message: string,
    o: {
      readonly retry: boolean;
      readonly wait?: number | null;
      readonly hopeless?: boolean;
      readonly detail?: string | null;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: o.cause });
    this.retry = o.retry;
    this.wait = o.wait ?? null;
    this.hopeless = o.hopeless ?? false;
    this.detail = o.detail ?? null;
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
      const { retry, wait, message: reason, hopeless } = error;
      if (!retry || attempt >= o.maxRetries) {
        const times = attempt === 0 ? "" : ` (${attempt + 1} attempts)`;
        const { detail } = error;
        const said = detail === null ? "" : ` ${detail}`;
        const sentence = withoutKey(`model ${o.model} at ${shown(url)}: ${reason}${said}${times}`, o.apiKey);
        throw new EndpointError(sentence, { reason, detail, hopeless });
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
      // Questions and images go to the address that the user named, and to no other.
      redirect: "manual",
      signal: signal === undefined ? late : AbortSignal.any([late, signal]),
    });
    text = await response.text();
  } catch (error) {
    const code = networkReason(error);
    const reason = late.aborted ? `no reply within ${o.timeoutSeconds} s` : `cannot be reached: ${code}`;
    throw new AttemptError(reason, { retry: true, hopeless: !late.aborted && NOBODY_THERE.test(code), cause: error });
  }
  const { status } = response;
  const elsewhere = status >= 300 && status < 400 ? response.headers.get("location") : null;
  if (elsewhere !== null) {
    const other = URL.canParse(elsewhere, url.href) ? shown(new URL(elsewhere, url)) : "another address";
    throw new AttemptError(`answered ${status}`, {
      retry: false,
      hopeless: true,
      detail: withoutKey(
        `and names ${other}: nothing is sent to another address than yours, so name that one`,
        o.apiKey,
      ),
    });
  }
  if (!response.ok) {
    const wait = retryAfter(response.headers.get("retry-after"));
    const said = withoutKey(text, o.apiKey); // before it is cut
    const detail = errorText(jsonOf(said)) ?? excerpt(said);
    throw new AttemptError(`answered ${status}`, {
      retry: LATER.has(status),
      wait,
      hopeless: HOPELESS.has(status),
      detail,
    });
  }
  const answer = jsonOf(text);
  const reply = replyOf(answer);
  if (reply !== null) return reply;
  const detail = errorText(jsonOf(withoutKey(text, o.apiKey)));
  if (detail === null) {
    const kind = kindOf(text);
    throw new AttemptError(`answered with something that is no chat completion${kind}`, {
      retry: true,
      detail: kind === "" ? excerpt(withoutKey(text, o.apiKey)) : null,
    });
  }
  const code = errorCode(answer);
  const about = { retry: code === null || LATER.has(code), hopeless: code !== null && HOPELESS.has(code), detail };
  throw new AttemptError("answered with an error", about);
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
  return cause?.code === "UND_ERR_SOCKET" ? "the connection was cut" : (cause?.code ?? messageOf(cause ?? error));
}

/** What came in place of a chat completion, where it is of a kind that servers are known for. */
function kindOf(text: string): string {
  if (text.trim() === "") return ", an empty body";
  if (/^\s*<(!doctype|html)/i.test(text)) return ", a web page";
  return /^(data|event):/.test(text) ? ", a stream of events that was not asked for" : "";
}

function endpoint(baseUrl: string, key: string): URL {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UserError(`${key}: ${baseUrl} is no http address; expected one such as http://localhost:8000/v1`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new UserError(
      `${key}: leave the password out of the address and name an environment variable that holds the key`,
    );
  }
  // The whole address of the requests is as good, and a query, such as a version, stays behind it.
  url.pathname = `${url.pathname.replace(/(\/chat\/completions)?\/*$/, "")}/chat/completions`;
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
