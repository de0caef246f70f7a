/** Requests to a tracker's server: retried where it may pass, with one sentence where not; keys stand in no message. */
import { setTimeout as wait } from "node:timers/promises";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import { jsonLine } from "../runs/jsonl.ts";

export interface TrackerRequest {
  readonly method?: "GET" | "POST" | "PUT";
  /** Sent as JSON; numbers that JSON lacks as texts. */
  readonly json?: object;
  readonly body?: Uint8Array | FormData;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses that are an answer, beside success. */
  readonly accepted?: readonly number[];
}

export interface TrackerAnswer {
  readonly status: number;
  /** Null where the body is no JSON. */
  readonly json: Readonly<Record<string, unknown>> | null;
}

const attempts = 4;
const firstPauseMs = 500;
const timeoutMs = 30_000;

/** What no further try changes within seconds. */
const nobodyThere = /^(ECONNREFUSED|ENOTFOUND)$/;
class NobodyThere extends RunError {}

/** Throws RunError where the server cannot be reached or fails, UserError where it refuses. */
export async function send(url: string, o: TrackerRequest): Promise<TrackerAnswer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(url, o);
    } catch (error) {
      if (error instanceof UserError || error instanceof NobodyThere || attempt === attempts) throw error;
      await wait(firstPauseMs * 2 ** (attempt - 1));
    }
  }
}

async function sendOnce(url: string, o: TrackerRequest): Promise<TrackerAnswer> {
  const { method = "POST", json, headers = {}, accepted = [] } = o;
  const { origin } = new URL(url);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: { ...headers, ...(json === undefined ? {} : { "content-type": "application/json" }) },
      ...(json !== undefined ? { body: jsonLine(json) } : o.body !== undefined ? { body: o.body } : {}),
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (error) {
    const { cause } = error as { readonly cause?: { readonly code?: string } };
    const reason = cause?.code ?? messageOf(cause ?? error);
    const Failure = nobodyThere.test(reason) ? NobodyThere : RunError;
    throw new Failure(`${origin} cannot be reached: ${reason}`);
  }
  if (response.ok || accepted.includes(response.status)) return { status: response.status, json: objectOf(text) };
  const said = withoutSecrets(text.trim().replace(/\s+/g, " ").slice(0, 300), headers);
  const sentence = `${origin} answered ${response.status} to ${new URL(url).pathname}: ${said}`;
  if (response.status >= 500 || response.status === 429 || response.status === 408) throw new RunError(sentence);
  throw new UserError(sentence);
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

/** A server may repeat what it was sent. */
function withoutSecrets(text: string, headers: Readonly<Record<string, string>>): string {
  const secrets = Object.values(headers).flatMap((value) => [value, value.split(" ").at(-1)!]);
  return secrets.filter((secret) => secret.length > 3).reduce((said, secret) => said.replaceAll(secret, "***"), text);
}
