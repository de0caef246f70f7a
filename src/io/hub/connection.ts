/**
 * Requests to the Hub: the token goes to the endpoint's own origin and to no other, redirects are followed one by one,
 * what may pass is tried again with growing pauses, and a refusal becomes a sentence that says what to do. No message
 * holds what the server wrote or more of an address than its host, since both may repeat a secret.
 */
import { setTimeout as wait } from "node:timers/promises";
import { messageOf, RunError, UserError } from "../../core/errors.ts";
import { describeRepository, type Repository } from "./repository.ts";
import type { HubSettings } from "./settings.ts";

export interface ConnectionOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told before a pause and a further try. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** The first pause, which doubles each time; 500 unless given. */
  readonly pauseMs?: number | undefined;
  /** A server silent for so long counts as gone; 30,000 unless given. */
  readonly silenceMs?: number | undefined;
}

/** What a repository is reached by. */
export interface Connection {
  readonly settings: HubSettings;
  readonly repository: Repository;
  readonly signal: AbortSignal | undefined;
  /** A good answer, its body unread. Throws UserError for a refusal, RunError when the Hub cannot be reached. */
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** For @huggingface/hub's functions: `get`, with the body read and limited. */
  readonly fetch: typeof fetch;
  /** Pauses before try `attempt` (from 1) for a reason that may pass; throws RunError once there were too many. */
  pause(attempt: number, reason: string, seconds?: number | null): Promise<void>;
  /** The next part of a body, or null at its end; rejects after `silenceMs` of silence. */
  read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | null>;
}

const ATTEMPTS = 5;
const MAX_REDIRECTS = 10;
/** A longer wait that the server asks for is the user's to decide on. */
const MAX_PAUSE_SECONDS = 60;
const MAX_ANSWER_BYTES = 50_000_000;

export function connect(settings: HubSettings, repository: Repository, o: ConnectionOptions = {}): Connection {
  const silenceMs = o.silenceMs ?? 30_000;
  const host = new URL(settings.endpoint).host;

  const pause = async (attempt: number, reason: string, seconds: number | null = null): Promise<void> => {
    const what = describeRepository(repository);
    if (seconds !== null && seconds > MAX_PAUSE_SECONDS) {
      throw new RunError(`${what}: ${reason} and asks to wait ${Math.ceil(seconds)} s: try again then`);
    }
    if (attempt >= ATTEMPTS) {
      throw new RunError(`${what}: ${reason}, ${ATTEMPTS} times in a row: check the network, or try again later`);
    }
    const ms = seconds === null ? (o.pauseMs ?? 500) * 2 ** (attempt - 1) : 1000 * seconds;
    o.onNotice?.(`${what}: ${reason}; trying again in ${(ms / 1000).toFixed(1)} s`);
    await wait(ms, undefined, o.signal === undefined ? {} : { signal: o.signal });
  };

  const get = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> => {
    for (let attempt = 1; ; attempt++) {
      let reason: string;
      let seconds: number | null = null;
      try {
        const response = await follow(url, headers, settings, silenceMs, o.signal);
        if (response.ok) return response;
        await response.body?.cancel();
        if (response.status !== 408 && response.status !== 429 && response.status < 500) {
          throw refusal(response, repository, settings);
        }
        reason = `${host} answered ${response.status}${response.status === 429 ? " (too many requests)" : ""}`;
        seconds = retryAfter(response);
      } catch (error) {
        if (error instanceof UserError || o.signal?.aborted) throw error;
        reason = `${host} cannot be reached (${networkReason(error)})`;
      }
      await pause(attempt, reason, seconds);
    }
  };

  const read: Connection["read"] = async (reader) => {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`silent for ${silenceMs / 1000} s`)), silenceMs);
    });
    try {
      const { done, value } = await Promise.race([reader.read(), silence]);
      return done ? null : value;
    } finally {
      clearTimeout(timer);
    }
  };

  const limitedFetch: typeof fetch = async (input) => {
    for (let attempt = 1; ; attempt++) {
      const response = await get(String(input), { accept: "application/json" });
      try {
        const body = await readWhole(response, read);
        return new Response(body, { status: response.status, headers: response.headers });
      } catch (error) {
        if (error instanceof UserError || o.signal?.aborted) throw error;
        await pause(attempt, `${host} broke off its answer (${networkReason(error)})`);
      }
    }
  };

  return { settings, repository, signal: o.signal, get, fetch: limitedFetch, pause, read };
}

/** What went wrong below HTTP, in a few words: the code where there is one. */
export function networkReason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? (error as NodeJS.ErrnoException).code;
  return typeof code === "string" ? code : messageOf(cause ?? error);
}

/** Follows redirects by hand: `fetch` would, too, but whom it tells the token is then the runtime's choice. */
async function follow(
  start: string,
  headers: Readonly<Record<string, string>>,
  { endpoint, token }: HubSettings,
  silenceMs: number,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const home = new URL(endpoint).origin;
  let url = new URL(start);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const own: Record<string, string> = { ...headers, "user-agent": "viva" };
    if (token !== null && url.origin === home) own["authorization"] = `Bearer ${token}`;
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new Error(`silent for ${silenceMs / 1000} s`)), silenceMs);
    const signals = signal === undefined ? [silence.signal] : [silence.signal, signal];
    let response: Response;
    try {
      response = await fetch(url, { headers: own, redirect: "manual", signal: AbortSignal.any(signals) });
    } finally {
      clearTimeout(timer);
    }
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    await response.body?.cancel();
    url = redirected(url, location);
  }
  throw new UserError(`${new URL(start).host} redirects without end: check HF_ENDPOINT`);
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  const isSafe = to !== null && (to.protocol === "https:" || (to.protocol === "http:" && from.protocol === "http:"));
  if (!isSafe || to.username !== "" || to.password !== "") {
    throw new UserError(`${from.host} redirects to an address that is not followed: check HF_ENDPOINT`);
  }
  return to;
}

function refusal(response: Response, repository: Repository, { endpoint, token }: HubSettings): UserError {
  const { status, headers } = response;
  const code = headers.get("x-error-code");
  const what = describeRepository(repository);
  const page = `${endpoint}/${repository.type === "dataset" ? "datasets/" : ""}${repository.name}`;
  const tokens = `${endpoint}/settings/tokens`;
  if (code === "GatedRepo") {
    const then = token === null ? `set HF_TOKEN to a token of that account (${tokens})` : "try again with its token";
    return new UserError(`${what} is gated: accept its terms at ${page} with your account, then ${then}`);
  }
  if (status === 401) {
    const advice =
      token === null
        ? `check the name; if it is private, set HF_TOKEN to a token that may read it (${tokens})`
        : `check the name, and whether the token of HF_TOKEN or the token file is still valid (${tokens})`;
    return new UserError(`${what}: the Hub answered 401: there is no such repository, or it is private; ${advice}`);
  }
  if (status === 403) {
    const advice = token === null ? "set HF_TOKEN to a token that may read it" : "your token may not read it";
    return new UserError(`${what}: the Hub answered 403: ${advice}; ask for access at ${page}, tokens: ${tokens}`);
  }
  if (code === "RevisionNotFound") {
    return new UserError(
      `${describeRepository({ ...repository, revision: "main" })} has no revision "${repository.revision}"`,
    );
  }
  if (status === 404) {
    return new UserError(`${what} is not on the Hub (${endpoint} answered 404): check name and revision`);
  }
  return new UserError(`${what}: ${endpoint} answered ${status}: check HF_ENDPOINT`);
}

/** Seconds that the server asks to wait, as a number or a date; null where it asks for none. */
function retryAfter(response: Response): number | null {
  const text = response.headers.get("retry-after");
  if (text === null) return null;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

async function readWhole(response: Response, read: Connection["read"]): Promise<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (let part = await read(reader); part !== null; part = await read(reader)) {
    parts.push(part);
    bytes += part.length;
    if (bytes <= MAX_ANSWER_BYTES) continue;
    await reader.cancel();
    throw new UserError(`the Hub's answer is longer than ${MAX_ANSWER_BYTES} bytes: check HF_ENDPOINT`);
  }
  return new Uint8Array(Buffer.concat(parts));
}
