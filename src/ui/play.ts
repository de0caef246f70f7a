/** Asks a checkpoint a question from a page and streams its answers; the engine is opened at the first question only. */
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import { messageOf, UserError } from "../core/errors.ts";
import type { LiveAnswers } from "../core/live-answers.ts";
import type { ImageRef } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import type { RunView } from "./run-view.ts";

const askedSchema = z.strictObject({
  step: z.int().min(0).nullable(),
  question: z.string().min(1).max(4000),
  /** Hash of an image of the run, a file in base64, or neither. */
  image: z.union([
    z.strictObject({ sha256: z.string() }),
    z.strictObject({ base64: z.string().max(10_000_000) }),
    z.null(),
  ]),
  change: z.enum(["none", "blank", "mirrored"]),
  samples: z.int().min(1).max(16),
  temperature: z.number().min(0).max(2),
  seed: z.int().min(0),
  max_tokens: z.int().min(1).max(2048),
});

/** What a page sends. */
export type AskedQuestion = z.input<typeof askedSchema>;

/** Streams "delta" events, then "end", or "failed" with a message. */
export function openPlay(
  c: Context,
  play: LiveAnswers,
  run: RunView,
  asked: unknown,
  image: (sha256: string) => Promise<ImageRef>,
): Response | Promise<Response> {
  const read = askedSchema.safeParse(asked);
  if (!read.success) return c.json({ error: `not a question: ${z.prettifyError(read.error)}` }, 400);
  const { step, question, change, samples, temperature, seed, max_tokens: maxTokens } = read.data;
  const refs = async (): Promise<readonly ImageRef[]> => {
    const given = read.data.image;
    if (given === null) return [];
    const ref =
      "base64" in given
        ? { path: "the uploaded image", bytes: Buffer.from(given.base64, "base64") }
        : await image(given.sha256);
    return [change === "none" ? ref : await changed(ref, change)];
  };
  return streamSSE(c, async (stream) => {
    const left = new AbortController();
    stream.onAbort(() => left.abort());
    try {
      const images = await refs();
      const asking = { folder: run.found.folder, step, images, question, samples, temperature, seed, maxTokens };
      for await (const delta of play.ask(asking, left.signal)) {
        await stream.writeSSE({ event: "delta", data: JSON.stringify(delta) });
      }
      await stream.writeSSE({ event: "end", data: "{}" });
    } catch (error) {
      const message = error instanceof UserError ? error.message : `the model could not answer: ${messageOf(error)}`;
      await stream.writeSSE({ event: "failed", data: JSON.stringify({ message }) });
    }
  });
}

/** The image as a grey area of its size, or with its sides exchanged. */
async function changed(ref: ImageRef, change: "blank" | "mirrored"): Promise<ImageRef> {
  const { image } = await decodeImage(ref);
  const { width, height, channels } = image;
  if (change === "blank")
    return { path: ref.path, pixels: { ...image, data: new Uint8Array(image.data.length).fill(128) } };
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + width - 1 - x) * channels;
      data.set(image.data.subarray(from, from + channels), (y * width + x) * channels);
    }
  }
  return { path: ref.path, pixels: { width, height, channels, data } };
}
