/**
 * A language model behind the OpenAI chat completions API: bounded concurrency, time-outs, retries with back-off, replies
 * kept by content. Keys stand in no message, event or cache.
 */
import { messageOf, RunError, UserError } from "../core/errors.ts";
import type { ImageRef, Message } from "../core/records.ts";
import { sha256 } from "./files.ts";
import { decodeImage, encodePng } from "./images.ts";
import type { ReplyCache } from "./reply-cache.ts";

export interface ChatClientOptions {
  /** The address before /chat/completions. */
  readonly baseUrl: string;
  readonly model: string;
  /** Sent as a bearer token; null sends none. */
  readonly apiKey: string | null;
  /** For one attempt. */
  readonly timeoutSeconds: number;
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** Requests under way at the same time, those that wait for a retry included. */
  readonly maxConcurrency: number;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly cache: ReplyCache | null;
  /** Waits between attempts, for tests; setTimeout otherwise. */
  readonly sleep?: (ms: number) => Promise<void>;
}

export interface ChatClient {
  /** The text of the reply; rejects with RunError, which names the endpoint, when all attempts fail. */
  complete(messages: readonly Message[]): Promise<string>;
}

/** Throws UserError for an address that is none. Nothing is sent before the first `complete`. */
export function openChatClient(o: ChatClientOptions): ChatClient {
  const url = endpoint(o.baseUrl);
  const withSlot = limiter(o.maxConcurrency);
  const underWay = new Map<string, Promise<string>>();

  async function ask(body: string, hash: string): Promise<string> {
    const known = o.cache?.get(hash) ?? null;
    if (known !== null) return known;
    const reply = await withSlot(() => attempts(url, body, o));
    o.cache?.set(hash, reply);
    return reply;
  }
  return {
    async complete(messages) {
      const body = JSON.stringify({
        model: o.model,
        messages: await Promise.all(messages.map(wireMessage)),
        temperature: o.temperature,
        max_tokens: o.maxTokens,
      });
      const hash = sha256(body);
      const pending = underWay.get(hash) ?? ask(body, hash).finally(() => underWay.delete(hash));
      underWay.set(hash, pending);
      return pending;
    },
  };
}

/** What is wrong with an attempt, and whether another one may help. */
class AttemptError extends Error {
  override readonly name = "AttemptError";
  readonly retry: boolean;
  /** Milliseconds the server asked to wait. */
  readonly wait: number | null;

  constructor(
    message: string,
    o: { readonly retry: boolean; readonly wait?: number | null; readonly cause?: unknown },
  ) {
    super(message, { cause: o.cause });
    this.retry = o.retry;
    this.wait = o.wait ?? null;
  }
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** Codes by which a server says that it could answer later. */
const LATER = new Set([408, 409, 425, 429, 500, 502, 503, 504, 529]);

async function attempts(url: URL, body: string, o: ChatClientOptions): Promise<string> {
  const sleep = o.sleep ?? ((ms: number) => new Promise<void>((done) => setTimeout(done, ms)));
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptOnce(url, body, o);
    } catch (error) {
      const { retry, wait, message } = error as AttemptError;
      if (!(error instanceof AttemptError) || !retry || attempt >= o.maxRetries) {
        const times = attempt === 0 ? "" : ` (${attempt + 1} attempts)`;
        throw new RunError(withoutKey(`model ${o.model} at ${shown(url)}: ${message}${times}`, o.apiKey));
      }
      await sleep(Math.min(wait ?? FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS));
    }
  }
}

async function attemptOnce(url: URL, body: string, o: ChatClientOptions): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(o.apiKey === null ? {} : { authorization: `Bearer ${o.apiKey}` }),
      },
      body,
      signal: AbortSignal.timeout(o.timeoutSeconds * 1000), // of the headers and of the body
    });
    text = await response.text();
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    const reason = isLate ? `no reply within ${o.timeoutSeconds} s` : `cannot be reached: ${networkReason(error)}`;
    throw new AttemptError(reason, { retry: true, cause: error });
  }
  if (!response.ok) {
    const excerpt = text.replace(/\s+/g, " ").slice(0, 200);
    const wait = retryAfter(response.headers.get("retry-after"));
    throw new AttemptError(`answered ${response.status} ${excerpt}`, { retry: LATER.has(response.status), wait });
  }
  const reply = replyText(text);
  if (reply === null) throw new AttemptError("answered with something that is no chat completion", { retry: true });
  return reply;
}

/** The first choice's text; null where the body has none. */
function replyText(body: string): string | null {
  try {
    const { choices } = JSON.parse(body) as { choices?: readonly { message?: { content?: unknown } }[] };
    const content = choices?.[0]?.message?.content;
    return typeof content === "string" ? content : null;
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

function endpoint(baseUrl: string): URL {
  const base = baseUrl.replace(/\/+$/, "");
  const url = URL.canParse(base) ? new URL(`${base}/chat/completions`) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UserError(`base_url: ${baseUrl} is no http address; expected one such as http://localhost:8000/v1`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new UserError("base_url: leave the password out of the address and name it by api_key_env");
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

async function wireMessage({ role, content }: Message): Promise<object> {
  const isText = content.every(({ type }) => type === "text");
  if (isText) return { role, content: content.map((part) => (part.type === "text" ? part.text : "")).join("") };
  const parts = content.map(async (part) =>
    part.type === "text"
      ? { type: "text", text: part.text }
      : { type: "image_url", image_url: { url: await dataUrl(part.image) } },
  );
  return { role, content: await Promise.all(parts) };
}

/** The image as shown to the policy before its resize, as a PNG data URL. */
async function dataUrl(ref: ImageRef): Promise<string> {
  const { image } = await decodeImage(ref);
  return `data:image/png;base64,${Buffer.from(await encodePng(image)).toString("base64")}`;
}
