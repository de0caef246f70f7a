/**
 * The body of a chat completion request: what is supported is read, what would change the answer and is not supported is
 * refused, and nothing is ignored silently except the fields that change no answer.
 */
import * as z from "zod";
import type { Message } from "../core/records.ts";
import { type ApiError, badRequest } from "./api-error.ts";
import { messagesSchema, readMessages } from "./messages.ts";

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly n: number;
  readonly temperature: number;
  readonly topP: number;
  /** Null: as many as there is room for. */
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  /** Null: any. */
  readonly seed: number | null;
  readonly logprobs: boolean;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** Choices of one request, as OpenAI's own API has it. */
const MOST_CHOICES = 128;
/** Below, float32 has no room for the quotients of logits. */
const LEAST_TEMPERATURE = 0.01;

const tokens = z.int().min(1).nullish();
const stopText = z.string().min(1, "must not be an empty string");
const schema = z.object({
  model: z.string().min(1),
  messages: messagesSchema,
  n: z.int().min(1).max(MOST_CHOICES).nullish(),
  temperature: z
    .number()
    .max(2)
    .refine((t) => t === 0 || t >= LEAST_TEMPERATURE, { error: `must be 0 or at least ${LEAST_TEMPERATURE}` })
    .nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  max_tokens: tokens,
  max_completion_tokens: tokens,
  stop: z.union([stopText, z.array(stopText).max(4, "has more than 4 strings")]).nullish(),
  seed: z.int().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
});

/** Fields that change no answer. */
const IGNORED = new Set([
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "parallel_tool_calls",
]);

const isEmpty = (value: unknown) => typeof value === "object" && Object.keys(value as object).length === 0;
const isZero = (value: unknown) => value === 0;

/** Fields that are not supported, and the values with which they ask for nothing. */
const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  audio: () => false,
  frequency_penalty: isZero,
  function_call: (value) => value === "none",
  functions: isEmpty,
  logit_bias: isEmpty,
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === "text",
  prediction: () => false,
  presence_penalty: isZero,
  reasoning_effort: (value) => value === "none",
  response_format: (value) => (value as { readonly type?: unknown }).type === "text",
  tool_choice: (value) => value === "none",
  tools: isEmpty,
  top_k: (value) => value === 0 || value === -1, // of other servers, which keep all tokens with these
  verbosity: () => false,
  web_search_options: () => false,
};

/** Reads a parsed body. Throws ApiError (400) that names the field. */
export function readChatRequest(body: unknown): ChatRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badRequest("body", "the body must be a JSON object", "invalid_type");
  }
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  refuseOthers(given);
  const result = schema.safeParse(given);
  if (!result.success) throw fieldError(result.error.issues[0]!);
  const request = result.data;
  const { stop, max_tokens: old, max_completion_tokens: limit } = request;
  if (old != null && limit != null && old !== limit) {
    throw badRequest("max_tokens", "max_tokens and max_completion_tokens differ: give one of them");
  }
  if ((request.top_logprobs ?? 0) > 0) {
    throw badRequest(
      "top_logprobs",
      "top_logprobs is not supported above 0: logprobs gives the log-probability of the chosen tokens only",
      "unsupported_value",
    );
  }
  if (request.stream_options != null && request.stream !== true) {
    throw badRequest("stream_options", "stream_options is for requests with stream: true");
  }
  return {
    model: request.model,
    messages: readMessages(request.messages),
    n: request.n ?? 1,
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? 1,
    maxTokens: limit ?? old ?? null,
    stop: stop == null ? [] : typeof stop === "string" ? [stop] : stop,
    seed: request.seed ?? null,
    logprobs: request.logprobs ?? false,
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
  };
}

function refuseOthers(body: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(body)) {
    if (Object.hasOwn(schema.shape, name) || IGNORED.has(name)) continue;
    if (!Object.hasOwn(REFUSED, name)) {
      throw badRequest(name, `unknown parameter "${name.slice(0, 60)}"`, "unknown_parameter");
    }
    if (!REFUSED[name]!(value)) {
      throw badRequest(name, `${name} is not supported: leave it out`, "unsupported_parameter");
    }
  }
}

/** "messages[0].content: what is wrong", with the deepest issue of a union. */
function fieldError(issue: z.core.$ZodIssue, base: readonly PropertyKey[] = []): ApiError {
  const path = [...base, ...issue.path];
  if (issue.code === "invalid_union") {
    const branches = issue.errors.map((issues) => issues[0]!).filter((own) => own !== undefined);
    const deepest = branches.reduce<z.core.$ZodIssue | null>(
      (best, own) => (own.path.length > (best?.path.length ?? 0) || own.code !== "invalid_type" ? own : best),
      null,
    );
    if (deepest !== null) return fieldError(deepest, path);
  }
  const param = path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    "",
  );
  return badRequest(param, `${param}: ${issue.message}`, issue.code === "invalid_type" ? "invalid_type" : undefined);
}
