/** Asks a checkpoint a question from a page and streams its answers; the engine is opened at the first question only. */
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import { messageOf, UserError } from "../core/errors.ts";
import type { LiveAnswers, LiveQuestion } from "../core/live-answers.ts";
import { ANSWER_TYPES, type ImageRef } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import type { Line } from "./lines.ts";
import type { RunView } from "./run-view.ts";

const askedSchema = z.strictObject({
  step: z.int().min(0).nullable(),
  question: z.string().min(1).max(4000),
  /** The group ("step/group") whose question was shown; what it records holds as long as the question stands. */
  row: z.string().max(40).nullable(),
  /** What is right, where it is known. */
  reference: z.string().min(1).max(4000).nullable(),
  /** Hash of an image of the run, a file in base64, or neither. */
  image: z.union([
    z.strictObject({ sha256: z.string() }),
    z.strictObject({ base64: z.string().max(10_000_000) }),
    z.null(),
  ]),
  change: z.enum(["none", "blank", "mirrored"]),
  /** For an image of the run: what is shown from black to white, in the image's units; null leaves the run's own. */
  window: z.strictObject({ width: z.number().positive(), level: z.number() }).nullable(),
  samples: z.int().min(1).max(16),
  temperature: z
    .number()
    .max(2)
    .refine((t) => t === 0 || t >= 0.01, { error: "must be 0 or at least 0.01" }),
  seed: z.int().min(0),
  max_tokens: z.int().min(1).max(2048),
});

/** What a page sends. */
export type AskedQuestion = z.input<typeof askedSchema>;
export type AskedWindow = AskedQuestion["window"];

/** Streams "delta" events, then "end", or "failed" with a message. */
export function openPlay(
  c: Context,
  play: LiveAnswers,
  run: RunView,
  asked: unknown,
  image: (sha256: string, window: AskedWindow) => Promise<ImageRef>,
): Response | Promise<Response> {
  const read = askedSchema.safeParse(asked);
  if (!read.success) return c.json({ error: `not a question: ${z.prettifyError(read.error)}` }, 400);
  const { change, image: given, window, row, reference, max_tokens: maxTokens, ...asking } = read.data;
  const refs = async (): Promise<readonly ImageRef[]> => {
    if (given === null) return [];
    const ref =
      "base64" in given
        ? { path: "the uploaded image", bytes: Buffer.from(given.base64, "base64") }
        : await image(given.sha256, window);
    return [change === "none" ? ref : await changed(ref, change)];
  };
  return streamSSE(c, async (stream) => {
    const left = new AbortController();
    stream.onAbort(() => left.abort());
    try {
      const images = await refs();
      const recorded = recordedQuestion(row === null ? null : run.groups.group(row), read.data);
      const question = { ...asking, ...recorded, folder: run.found.folder, images, maxTokens };
      for await (const delta of play.ask(question, left.signal)) {
        await stream.writeSSE({ event: "delta", data: JSON.stringify(delta) });
      }
      await stream.writeSSE({ event: "end", data: "{}" });
    } catch (error) {
      const message = error instanceof UserError ? error.message : `the model could not answer: ${messageOf(error)}`;
      await stream.writeSSE({ event: "failed", data: JSON.stringify({ message }) });
    }
  });
}

const groupSchema = z.object({
  ...{ example_id: z.string(), question: z.string(), answer: z.string(), answer_type: z.enum(ANSWER_TYPES) },
  choices: z.array(z.string()),
});

/** What a group's record adds to its question: the options, and beside its own answer the type and the example's id. */
function recordedQuestion(
  group: Line | null,
  { question, reference }: Pick<z.output<typeof askedSchema>, "question" | "reference">,
): Pick<LiveQuestion, "choices" | "reference" | "example"> {
  const { data } = groupSchema.safeParse(group);
  const own = data?.question === question ? data : null;
  const isOwn = own !== null && own.answer === reference;
  return {
    choices: own?.choices ?? [],
    reference: reference === null ? null : { answer: reference, ...(isOwn ? { answerType: own.answer_type } : {}) },
    example: isOwn ? own.example_id : null,
  };
}

/** The image as a grey area of its size, or with its sides exchanged; by a name that is no image's of the data. */
async function changed(ref: ImageRef, change: "blank" | "mirrored"): Promise<ImageRef> {
  const { image } = await decodeImage(ref);
  const { width, height, channels } = image;
  const path = `${ref.path}#${change}`;
  if (change === "blank") return { path, pixels: { ...image, data: new Uint8Array(image.data.length).fill(128) } };
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + width - 1 - x) * channels;
      data.set(image.data.subarray(from, from + channels), (y * width + x) * channels);
    }
  }
  return { path, pixels: { width, height, channels, data } };
}
