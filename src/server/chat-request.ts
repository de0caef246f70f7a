/**
 * The body of a chat completion request: what is supported is read, what would change the answer and is not supported is
 * refused, and nothing is ignored silently except the fields that change no answer.
 */
import * as z from "zod";
import { type Problem, problemOf } from "../core/issues.ts";
import type { Message, ToolSpec } from "../core/records.ts";
import { type ApiError, badRequest } from "./api-error.ts";
import { messagesSchema, readMessages } from "./messages.ts";
import { IGNORED, NEUTRAL } from "./request-fields.ts";
import type { ToolChoice } from "./tool-choice.ts";

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly n: number;
  readonly temperature: number;
  readonly topP: number;
  /** Null: as many as there is room for. */
  readonly maxTokens: number | null;
  /** The field that named `maxTokens`. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens";
  readonly stop: readonly string[];
  /** Null: any. */
  readonly seed: number | null;
  readonly logprobs: boolean;
  /** What may be called; none where the choice is "none". */
  readonly tools: readonly ToolSpec[];
  readonly toolChoice: ToolChoice;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** Choices of one request, as OpenAI's own API has it. */
const MOST_CHOICES = 128;
/** Below, float32 has no room for the quotients of logits. */
const LEAST_TEMPERATURE = 0.01;

const tokens = z.int().min(1).optional();
const stopText = z.string().min(1, "must not be an empty string");
const toolName = z.string().regex(/^[\w.-]{1,64}$/, "expected a name of letters, digits, dots, dashes and underscores");
const toolSchema = z.strictObject({
  type: z.literal("function"),
  function: z.strictObject({
    name: toolName,
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
    strict: z.literal(false, { error: "not supported: the arguments are as the model writes them" }).optional(),
  }),
});
const schema = z.object({
  model: z.string().min(1),
  messages: messagesSchema,
  n: z.int().min(1).max(MOST_CHOICES).optional(),
  temperature: z
    .number()
    .max(2)
    .refine((t) => t === 0 || t >= LEAST_TEMPERATURE, { error: `must be 0 or at least ${LEAST_TEMPERATURE}` })
    .optional(),
  top_p: z.number().gt(0).max(1).optional(),
  max_tokens: tokens,
  max_completion_tokens: tokens,
  stop: z.union([stopText, z.array(stopText).max(4, "has more than 4 strings")]).optional(),
  seed: z.int().optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).optional(),
  tools: z.array(toolSchema).max(128, "has more than 128 tools").optional(),
  tool_choice: z
    .union([
      z.enum(["none", "auto", "required"]),
      z.strictObject({ type: z.literal("function"), function: z.strictObject({ name: toolName }) }),
    ])
    .optional(),
  stream: z.boolean().optional(),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().optional(),
      include_obfuscation: z.boolean().optional(),
      continuous_usage_stats: z.literal(false).optional(),
    })
    .optional(),
});

/** Reads a parsed body. Throws ApiError (400) that names the field. */
export function readChatRequest(body: unknown): ChatRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badRequest("body", "the body must be a JSON object", "invalid_type");
  }
  const given = withoutNulls(body, DEEPEST) as Readonly<Record<string, unknown>>;
  refuseOthers(given);
  const result = schema.safeParse(given);
  if (!result.success) throw fieldError(problemOf(result.error.issues[0]!));
  const request = result.data;
  const { stop, max_tokens: old, max_completion_tokens: limit } = request;
  if (old !== undefined && limit !== undefined && old !== limit) {
    throw badRequest("max_tokens", "max_tokens and max_completion_tokens differ: give one of them");
  }
  if ((request.top_logprobs ?? 0) > 0) {
    throw badRequest(
      "top_logprobs",
      "top_logprobs is not supported above 0: logprobs gives the log-probability of the chosen tokens only",
      "unsupported_value",
    );
  }
  if (request.stream_options !== undefined && request.stream !== true) {
    throw badRequest("stream_options", "stream_options is for requests with stream: true");
  }
  return {
    model: request.model,
    messages: readMessages(request.messages),
    n: request.n ?? 1,
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? 1,
    maxTokens: limit ?? old ?? null,
    maxTokensField: limit === undefined ? "max_tokens" : "max_completion_tokens",
    stop: stop === undefined ? [] : typeof stop === "string" ? [stop] : stop,
    seed: request.seed ?? null,
    logprobs: request.logprobs ?? false,
    ...readTools(request),
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
  };
}

function readTools({
  tools: given = [],
  tool_choice,
}: Pick<z.output<typeof schema>, "tools" | "tool_choice">): Pick<ChatRequest, "tools" | "toolChoice"> {
  const tools = given.map(({ function: { name, description = "", parameters = {} } }): ToolSpec => {
    return { name, description, parameters };
  });
  const twice = tools.find(({ name }, i) => tools.findIndex((other) => other.name === name) < i);
  if (twice !== undefined) throw badRequest("tools", `tools: two have the name "${twice.name}"`);
  const asked = tool_choice ?? (tools.length === 0 ? "none" : "auto");
  if (tools.length === 0) {
    if (asked === "none" || asked === "auto") return { tools, toolChoice: "none" };
    throw badRequest("tool_choice", "tool_choice asks for a call, and there are no tools");
  }
  if (typeof asked === "string")
    return asked === "none" ? { tools: [], toolChoice: asked } : { tools, toolChoice: asked };
  const { name } = asked.function;
  if (tools.some((tool) => tool.name === name)) return { tools, toolChoice: { name } };
  throw badRequest("tool_choice", `tool_choice: there is no tool "${name}"`);
}

function refuseOthers(body: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(body)) {
    if (Object.hasOwn(schema.shape, name) || IGNORED.has(name)) continue;
    if (!Object.hasOwn(NEUTRAL, name)) throw unknownParameter(name, name);
    const neutral = NEUTRAL[name]!;
    if (!neutral.includes(JSON.stringify(value))) {
      const or = neutral.length === 0 ? "" : `, or give ${neutral.join(" or ")}`;
      throw badRequest(name, `${name} is not supported: leave it out${or}`, "unsupported_parameter");
    }
  }
}

function unknownParameter(param: string, name: string): ApiError {
  const where = param === name ? "" : ` at ${param.slice(0, 200)}`;
  return badRequest(param.slice(0, 200), `unknown parameter "${name.slice(0, 60)}"${where}`, "unknown_parameter");
}

/** Levels from the body down to the address of an image in a part of a message. */
const DEEPEST = 5;

/** A null for a key is the key's absence, in the body, in messages and in their parts. */
function withoutNulls(value: unknown, levels: number): unknown {
  if (typeof value !== "object" || value === null || levels < 0) return value;
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, levels - 1));
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNulls(inner, levels - 1)]));
}

/** "messages[0].content: what is wrong". */
function fieldError({ path, message, issue }: Problem): ApiError {
  if (issue.code === "unrecognized_keys") return unknownParameter(spelled([...path, issue.keys[0]!]), issue.keys[0]!);
  const param = spelled(path);
  return badRequest(param, `${param}: ${message}`, issue.code === "invalid_type" ? "invalid_type" : undefined);
}

/** "messages[0].content". */
function spelled(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    "",
  );
}
