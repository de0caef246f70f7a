/** The JSONL rows that `generate` and `logprobs` read: {image | images, question | messages, choices?, completion?}. */
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { encodeOptions, questionMessages } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import { problemOf } from "../core/issues.ts";
import type { Example, Message, Prompt, SamplingOptions } from "../core/records.ts";
import { type Chat, chatMessages, chatSchema, messageText, pathSchema, pathsSchema, replyText } from "../data/chats.ts";
import { requireKnownFields, requireNoOtherChat } from "../data/index.ts";
import { plainScoring } from "../engine/engine.ts";
import { readJsonLines } from "../io/json-lines.ts";
import type { OpenedCheckpoint } from "./checkpoint.ts";

const textOrChat = z.union([z.string(), chatSchema], { error: "expected a text, or a list of messages" });
const rowSchema = z
  .looseObject({
    image: pathSchema.nullish(),
    images: pathsSchema.nullish(),
    question: z.string().min(1).nullish(),
    choices: z.array(z.string(), { error: "expected a list of options" }).nullish(),
    messages: chatSchema.nullish(),
    /** A chat, as TRL calls it; a text says nothing here. */
    prompt: textOrChat.nullish(),
    completion: textOrChat.nullish(),
  })
  .refine((row) => row.messages == null || chatOf({ prompt: row.prompt }) === null, {
    error: "has both messages and prompt: keep one",
  })
  .refine((row) => row.question == null || chatOf(row) === null, { error: "has both question and messages: keep one" })
  .refine((row) => row.question != null || chatOf(row) !== null, {
    error: 'needs a question: a text in "question", or a list of messages in "messages" or "prompt"',
  })
  .refine((row) => row.image == null || row.images == null, { error: "has both image and images: keep one" });

/** A row's question with its images, or its chat with the images in it. */
export interface Row {
  readonly line: number;
  readonly images: readonly string[];
  readonly question: string | null;
  readonly choices: readonly string[];
  readonly messages: readonly Message[] | null;
  readonly completion: string | null;
}

function chatOf({
  messages,
  prompt,
}: {
  readonly messages?: Chat | null | undefined;
  readonly prompt?: string | Chat | null | undefined;
}): Chat | null {
  return messages ?? (typeof prompt === "string" ? null : (prompt ?? null));
}

/** Reads and checks a rows file; errors name file and line. */
export function readPromptRows(file: string): readonly Row[] {
  const rows = readJsonLines(file, "rows").map(({ value, line, where }) => ({ ...parseRow(value, where), line }));
  if (rows.length === 0) throw new UserError(`${file} holds no rows`);
  return rows;
}

function parseRow(value: unknown, where: string): Omit<Row, "line"> {
  requireKnownFields(value, Object.keys(rowSchema.shape), where);
  requireNoOtherChat(value, where);
  const result = rowSchema.safeParse(value);
  if (!result.success) {
    const { path, message } = problemOf(result.error.issues[0]!);
    throw new UserError(`${where}: ${path.length === 0 ? "" : `${path.join(".")}: `}${message}`);
  }
  const { image, images: several, question = null, choices, completion = null } = result.data;
  const images = several ?? (image == null ? [] : [image]);
  const chat = chatOf(result.data);
  try {
    return {
      images,
      question,
      choices: choices ?? [],
      messages: chat === null ? null : chatMessages(chat, images),
      completion:
        completion === null || typeof completion === "string" ? completion : replyText(completion, "completion"),
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${where}: ${error.message}`, { cause: error });
  }
}

/** One row of `viva generate`'s output. */
export interface GeneratedRow {
  readonly row: number;
  readonly prompt_tokens: number;
  readonly image_tokens: number;
  readonly completions: readonly {
    readonly text: string;
    readonly token_ids: readonly number[];
    readonly log_probs: readonly number[];
    readonly finish_reason: "stop" | "length";
  }[];
}

/** Samples completions for every row, a chunk at a time; calls `write` in the rows' order. */
export async function generateRows(
  opened: OpenedCheckpoint,
  file: string,
  rows: readonly Row[],
  sampling: Omit<SamplingOptions, "step">,
  write: (row: GeneratedRow) => void,
): Promise<void> {
  for (const [step, chunk] of chunks(rows).entries()) {
    const prompts = await Promise.all(chunk.map((row) => rowPrompt(opened, file, row)));
    const results: GeneratedRow[] = [];
    for await (const { index, completions } of opened.engine.policy.sample(prompts, { ...sampling, step })) {
      results[index] = {
        row: chunk[index]!.line,
        ...tokenCounts(opened, prompts[index]!),
        completions: completions.map(({ text, tokenIds, logProbs, finishReason }) => {
          return { text, token_ids: [...tokenIds], log_probs: [...logProbs], finish_reason: finishReason };
        }),
      };
    }
    results.forEach(write);
  }
}

/** One row of `viva logprobs`' output. */
export interface ScoredRow {
  readonly token_ids: readonly number[];
  readonly log_probs: readonly number[];
  readonly prompt_tokens: number;
  readonly image_tokens: number;
}

/** Log-probs of every row's completion, the closing end-of-turn token included, under the model's own softmax. */
export async function scoreRows(
  opened: OpenedCheckpoint,
  file: string,
  given: readonly Row[],
  write: (row: ScoredRow) => void,
): Promise<void> {
  const { engine, processor } = opened;
  const rows = await Promise.all(given.map((row) => naming(file, row, () => withCompletion(row))));
  for (const row of rows) {
    if (row.completion === null) throw new UserError(`${file}:${row.line}: completion is missing`);
  }
  for (const chunk of chunks(rows)) {
    const prompts = await Promise.all(chunk.map((row) => rowPrompt(opened, file, row)));
    const encode = (row: Row) => naming(file, row, () => processor.encodeCompletion(row.completion!));
    const targets = await Promise.all(chunk.map(encode));
    for (const [i, prompt] of prompts.entries()) {
      const length = prompt.tokenIds.length + targets[i]!.length;
      if (length > engine.contextLength) {
        throw new UserError(
          `${file}:${chunk[i]!.line}: prompt and completion have ${length} tokens, the model's context holds ${engine.contextLength}`,
        );
      }
    }
    const groups = prompts.map((prompt, i) => {
      return { prompt, completions: [{ tokenIds: targets[i]!, weight: 0, advantage: 0 }] };
    });
    const { logProbs } = await engine.policy.logProbs(groups, plainScoring);
    for (const [i, prompt] of prompts.entries()) {
      write({ token_ids: [...targets[i]!], log_probs: [...logProbs[i]!], ...tokenCounts(opened, prompt) });
    }
  }
}

/** A chat that ends with the assistant's words has its completion there. */
function withCompletion(row: Row): Row {
  const last = row.messages?.at(-1);
  if (row.completion !== null || last?.role !== "assistant" || row.messages!.length < 2) return row;
  return { ...row, messages: row.messages!.slice(0, -1), completion: messageText(last) };
}

/** Rows encoded together. */
const CHUNK = 64;

function chunks(rows: readonly Row[]): readonly (readonly Row[])[] {
  return Array.from({ length: Math.ceil(rows.length / CHUNK) }, (_, i) => rows.slice(i * CHUNK, (i + 1) * CHUNK));
}

/** The prompt of a row; errors name file and line. */
export function rowPrompt(
  { processor, prompt }: Pick<OpenedCheckpoint, "processor" | "prompt">,
  file: string,
  row: Row,
): Promise<Prompt> {
  const baseFolder = dirname(resolve(file));
  return naming(file, row, () =>
    row.messages === null
      ? processor.encode(questionOf(row, prompt), { ...encodeOptions(prompt), baseFolder })
      : processor.encode(row.messages, { baseFolder }),
  );
}

/** Work on a row; a user's mistake found by it names the file and the line. */
async function naming<T>(file: string, row: Row, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${file}:${row.line}: ${error.message}`, { cause: error });
  }
}

function questionOf(row: Row, prompt: OpenedCheckpoint["prompt"]): readonly Message[] {
  const example: Example = {
    id: String(row.line),
    subjectId: "",
    question: row.question!,
    images: row.images.map((path) => ({ path })),
    answer: "",
    answerType: "open",
    choices: row.choices,
    meta: {},
  };
  return questionMessages(example, prompt);
}

function tokenCounts({ processor }: OpenedCheckpoint, prompt: Prompt) {
  return {
    prompt_tokens: prompt.tokenIds.length,
    image_tokens: prompt.tokenIds.filter((id) => id === processor.imageTokenId).length,
  };
}
