/** Answers one chat request: messages to a prompt, tokens of the engine to choices, the rows free again however it ends. */
import { randomInt, randomUUID } from "node:crypto";
import { UserError } from "../core/errors.ts";
import type { EncodeOptions, Processor } from "../core/processor.ts";
import type { ImageRef, ImageSize, Message, Prompt } from "../core/records.ts";
import type { LiveCompletions, LivePolicy } from "../engine/engine.ts";
import { requireFiniteLogProbs } from "../engine/finite-policy.ts";
import { imageSize } from "../io/images.ts";
import { ApiError, badRequest } from "./api-error.ts";
import type { ChatRequest } from "./chat-request.ts";
import { type ChoiceDelta, openChoice, type TokenLogProb } from "./choice.ts";
import { type CompletionHead, usageOf, type WholeChoice } from "./completion.ts";
import type { PoolRequest } from "./request-pool.ts";
import { callPrefix, tellTools, withCalls } from "./tool-choice.ts";

/** The model that a server answers with. */
export interface ServedModel {
  readonly name: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** Equal for equal weights and versions: with a seed, equal answers. */
  readonly fingerprint: string;
  readonly contextLength: number;
  readonly processor: Pick<Processor, "encode" | "layOut" | "decode">;
  /** How messages are put to the model where not as they are: in the prompt of its training. */
  readonly prompt?: ServedPrompt;
  readonly engine: LivePolicy;
}

/** A prompt that a server puts every chat in. */
export interface ServedPrompt {
  /** Throws UserError for messages that do not go into it. */
  arrange(messages: readonly Message[]): readonly Message[];
  readonly encoding: EncodeOptions;
}

export interface ChatLimits {
  /** The most that a request may ask for, and what one that asks for nothing gets. */
  readonly maxCompletionLength: number;
  readonly maxPromptTokens: number;
  /** Of one image; seen from its header, before it is decoded. */
  readonly maxImagePixels: number;
}

/** A chat that is being answered. */
export interface Answering {
  readonly head: CompletionHead;
  readonly promptTokens: number;
  /** Of all choices so far. */
  readonly completionTokens: () => number;
  /** Deltas of all choices as they come. To be read to its end or left; both free the rows. */
  readonly deltas: AsyncGenerator<{ readonly index: number; readonly delta: ChoiceDelta }>;
}

/** Throws ApiError for what is wrong with the request, and what the request is aborted with. */
export async function startChat(
  chat: ChatRequest,
  model: ServedModel,
  limits: ChatLimits,
  request: PoolRequest,
): Promise<Answering> {
  if (chat.model !== model.name) throw unknownModel(chat.model, model.name);
  await request.turn();
  const prompt = await encode(chat, model, limits);
  request.signal.throwIfAborted();
  const live = model.engine.decode(prompt, {
    numGenerations: chat.n,
    maxCompletionLength: completionLength(chat, prompt, model, limits),
    temperature: chat.temperature,
    topP: chat.topP,
    seed: chat.seed ?? randomInt(2 ** 48 - 1),
  });
  // From here on, whether or not anybody comes to read the deltas.
  request.signal.addEventListener("abort", () => live.giveUp());
  let completionTokens = 0;
  const count = () => completionTokens++;
  return {
    head: {
      id: `chatcmpl-${randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: model.name,
      system_fingerprint: model.fingerprint,
    },
    promptTokens: prompt.tokenIds.length,
    completionTokens: () => completionTokens,
    deltas: readDeltas(chat, live, (ids) => model.processor.decode(ids), request, count),
  };
}

/** Reads all deltas. */
export async function wholeAnswer({ deltas, promptTokens, completionTokens }: Answering, n: number) {
  const parts = Array.from({ length: n }, () => {
    return { text: "", logprobs: [] as TokenLogProb[], toolCall: null as WholeChoice["toolCall"] };
  });
  const reasons: WholeChoice["finishReason"][] = [];
  for await (const { index, delta } of deltas) {
    parts[index]!.text += delta.text;
    parts[index]!.logprobs.push(...delta.logprobs);
    parts[index]!.toolCall ??= delta.toolCall ?? null;
    if (delta.finishReason !== null) reasons[index] = delta.finishReason;
  }
  const choices = parts.map((part, i): WholeChoice => ({ ...part, finishReason: reasons[i]! }));
  return { choices, usage: usageOf(promptTokens, completionTokens()) };
}

async function* readDeltas(
  chat: ChatRequest,
  live: LiveCompletions,
  decode: (ids: readonly number[]) => string,
  request: PoolRequest,
  count: () => void,
): Answering["deltas"] {
  const { n } = chat;
  const choices = Array.from({ length: n }, () => {
    const own = openChoice(decode, chat);
    return chat.toolChoice === "none" ? own : withCalls(own, callPrefix(chat.toolChoice));
  });
  const started = new Set<number>();
  const ended = new Set<number>();
  try {
    request.signal.throwIfAborted();
    for await (const token of live.tokens) {
      request.signal.throwIfAborted();
      requireFiniteLogProbs([token.logProb], "the answer");
      const index = token.completion;
      if (ended.has(index)) continue;
      request.started();
      if (!started.has(index)) request.rowStarted();
      started.add(index);
      count();
      const delta = choices[index]!.push(token);
      if (delta.finishReason !== null) {
        ended.add(index);
        request.rowEnded();
        if (token.finishReason === null) live.giveUp(index);
      }
      yield { index, delta };
    }
    request.signal.throwIfAborted();
  } finally {
    if (ended.size < n) live.giveUp();
  }
}

/** The prompt; its size is known, and judged, before any image is decoded. */
async function encode(chat: ChatRequest, model: ServedModel, limits: ChatLimits): Promise<Prompt> {
  const { processor, contextLength, prompt } = model;
  const most = Math.min(limits.maxPromptTokens, contextLength - 1);
  try {
    const messages = tellTools(prompt?.arrange(chat.messages) ?? chat.messages, chat.tools);
    const { assistantPrefix = "" } = prompt?.encoding ?? {};
    const encoding = { ...prompt?.encoding, assistantPrefix: assistantPrefix + callPrefix(chat.toolChoice) };
    const refs = messages.flatMap(({ content }) => content.flatMap((p) => (p.type === "image" ? [p.image] : [])));
    const sizes: ImageSize[] = [];
    for (const ref of refs) sizes.push(await sizeOf(ref, limits.maxImagePixels));
    const { length } = processor.layOut(messages, sizes, encoding).tokenIds;
    if (length > most) {
      throw badRequest(
        "messages",
        `the messages and their images make ${length} tokens, at most ${most} are taken`,
        "context_length_exceeded",
      );
    }
    return await processor.encode(messages, encoding);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new ApiError(400, error.message, { param: "messages", code: "invalid_value", cause: error });
  }
}

async function sizeOf(ref: ImageRef, maxPixels: number): Promise<ImageSize> {
  const size = await imageSize(ref);
  if (size.width * size.height <= maxPixels) return size;
  const message = `${ref.path} has ${size.width} x ${size.height} pixels, at most ${maxPixels} are taken: scale it down`;
  throw badRequest(ref.path, message, "image_too_large");
}

function completionLength(chat: ChatRequest, prompt: Prompt, model: ServedModel, limits: ChatLimits): number {
  const { maxTokens, maxTokensField: field } = chat;
  const room = model.contextLength - prompt.tokenIds.length;
  if (maxTokens === null) return Math.min(limits.maxCompletionLength, room);
  if (maxTokens > limits.maxCompletionLength) {
    const most = `${limits.maxCompletionLength} (--max-completion-length)`;
    throw badRequest(field, `${field} ${maxTokens} is more than this server gives: at most ${most}`);
  }
  if (maxTokens <= room) return maxTokens;
  throw badRequest(
    field,
    `the prompt has ${prompt.tokenIds.length} tokens, so ${field} ${maxTokens} does not fit the context of ${model.contextLength}`,
    "context_length_exceeded",
  );
}

export function unknownModel(asked: string, name: string): ApiError {
  const message = `there is no model "${asked.slice(0, 100)}" here, only "${name}"`;
  return new ApiError(404, message, { param: "model", code: "model_not_found" });
}
