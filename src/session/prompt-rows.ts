/** The JSONL rows that `generate` and `logprobs` read: {image | images, question | messages, choices?, completion?}. */
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { encodeOptions, questionMessages } from "../answers/prompts.ts";
import { messageOf, UserError } from "../core/errors.ts";
import type { Example, Message, MessageContent, Prompt, SamplingOptions } from "../core/records.ts";
import { requireKnownFields } from "../data/index.ts";
import { plainScoring } from "../engine/engine.ts";
import { hiddenFault, readText } from "../io/files.ts";
import type { OpenedCheckpoint } from "./checkpoint.ts";

const part = z.union([
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("image"), image: z.string() }),
]);
const message = z.object({
  role: z.enum(["system", "user", "assistant"]),
  content: z.union([z.string(), z.array(part)]),
});
const rowSchema = z
  .looseObject({
    image: z.string().optional(),
    images: z.array(z.string()).optional(),
    question: z.string().min(1).optional(),
    choices: z.array(z.string()).default([]),
    messages: z.array(message).min(1).optional(),
    completion: z.string().optional(),
  })
  .refine((row) => (row.question === undefined) !== (row.messages === undefined), {
    error: "needs either question or messages",
  })
  .refine((row) => row.image === undefined || row.images === undefined, { error: "has both image and images" });

export type Row = z.output<typeof rowSchema> & { readonly line: number };

/** Reads and checks a rows file; errors name file and line. */
export function readPromptRows(file: string): readonly Row[] {
  const text = readText(file, "rows").replace(/^\ufeff/, "");
  const rows = text.split("\n").flatMap((line, i): Row[] => {
    if (line.trim() === "") return [];
    return [{ ...parseRow(line, `${file}, line ${i + 1}`), line: i + 1 }];
  });
  if (rows.length === 0) throw new UserError(`${file} holds no rows`);
  return rows;
}

function parseRow(line: string, where: string): z.output<typeof rowSchema> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where}: not valid JSON: ${messageOf(cause)}`, { cause });
  }
  const fault = hiddenFault(line);
  if (fault !== null) throw new UserError(`${where}: ${fault}`);
  requireKnownFields(json, Object.keys(rowSchema.shape), where);
  const result = rowSchema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = issue.path.join(".");
  throw new UserError(`${where}: ${key === "" ? "" : `${key}: `}${issue.message}`);
}

/** One line of `viva generate`'s output. */
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

/** One line of `viva logprobs`' output. */
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
  rows: readonly Row[],
  write: (row: ScoredRow) => void,
): Promise<void> {
  const { engine, processor } = opened;
  for (const row of rows) {
    if (row.completion === undefined) throw new UserError(`${file}, line ${row.line}: completion is missing`);
  }
  for (const chunk of chunks(rows)) {
    const prompts = await Promise.all(chunk.map((row) => rowPrompt(opened, file, row)));
    const encode = (row: Row) => naming(file, row, () => processor.encodeCompletion(row.completion!));
    const targets = await Promise.all(chunk.map(encode));
    for (const [i, prompt] of prompts.entries()) {
      const length = prompt.tokenIds.length + targets[i]!.length;
      if (length > engine.contextLength) {
        throw new UserError(
          `${file}, line ${chunk[i]!.line}: prompt and completion have ${length} tokens, the model's context holds ${engine.contextLength}`,
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
    row.messages === undefined
      ? processor.encode(questionOf(row, prompt), { ...encodeOptions(prompt), baseFolder })
      : processor.encode(row.messages.map(toMessage), { baseFolder }),
  );
}

/** Work on a row; a user's mistake found by it names the file and the line. */
async function naming<T>(file: string, row: Row, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${file}, line ${row.line}: ${error.message}`, { cause: error });
  }
}

function questionOf(row: Row, prompt: OpenedCheckpoint["prompt"]): readonly Message[] {
  const example: Example = {
    id: String(row.line),
    subjectId: "",
    question: row.question!,
    images: (row.images ?? (row.image === undefined ? [] : [row.image])).map((path) => ({ path })),
    answer: "",
    answerType: "open",
    choices: row.choices,
    meta: {},
  };
  return questionMessages(example, prompt);
}

function toMessage({ role, content }: z.output<typeof message>): Message {
  if (typeof content === "string") return { role, content: [{ type: "text", text: content }] };
  return {
    role,
    content: content.map((item): MessageContent => {
      return item.type === "text" ? item : { type: "image", image: { path: item.image } };
    }),
  };
}

function tokenCounts({ processor }: OpenedCheckpoint, prompt: Prompt) {
  return {
    prompt_tokens: prompt.tokenIds.length,
    image_tokens: prompt.tokenIds.filter((id) => id === processor.imageTokenId).length,
  };
}
