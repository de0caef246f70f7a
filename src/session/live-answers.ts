/** Answers of a run's checkpoints as they are decoded, one question at a time; the model stays open for the next. */
import { parseAnswer } from "../answers/parse.ts";
import { opensThought } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { LiveAnswers, LiveDelta, LiveQuestion } from "../core/live-answers.ts";
import { encodeOptions, messagesInStyle, type OpenedCheckpoint, openCheckpoint, viewOfRun } from "./checkpoint.ts";
import { offline } from "./model-view.ts";

export function liveAnswers(): LiveAnswers {
  let open: { readonly name: string; readonly checkpoint: OpenedCheckpoint } | null = null;
  let busy = false;
  const close = async () => {
    await open?.checkpoint.engine.close();
    open = null;
  };
  const opened = async ({ folder, step }: LiveQuestion) => {
    const name = `${folder}@${step}`;
    if (open?.name === name) return open.checkpoint;
    await close();
    const live = { rows: 16, cacheBytes: 1e9 };
    const checkpoint = await openCheckpoint(folder, { ...(step === null ? {} : { step }), live, env: offline() });
    open = { name, checkpoint };
    return checkpoint;
  };
  return {
    close,
    async *ask(asked, signal) {
      if (busy) throw new UserError("another question is being answered: wait for its end");
      busy = true;
      try {
        const checkpoint = await opened(asked);
        yield* answers(checkpoint, asked, signal);
      } finally {
        busy = false;
      }
    },
  };
}

async function* answers(
  { engine, processor, prompt: style, recipe }: OpenedCheckpoint,
  { images, question, samples, temperature, seed, maxTokens }: LiveQuestion,
  signal: AbortSignal,
): AsyncIterable<LiveDelta> {
  const { decode } = engine;
  if (decode === undefined) throw new UserError("this engine answers whole batches alone");
  const view = viewOfRun({ recipe });
  const parts = images.map((image) => ({ type: "image", image: { ...image, ...view } }) as const);
  const asked = [{ role: "user", content: [...parts, { type: "text", text: question }] }] as const;
  const prompt = await processor.encode(messagesInStyle(asked, style), encodeOptions(style));
  const live = decode(prompt, { numGenerations: samples, maxCompletionLength: maxTokens, temperature, topP: 1, seed });
  signal.addEventListener("abort", () => live.giveUp());
  const tokens = Array.from({ length: samples }, (): number[] => []);
  const parsing = { style: style.style, thinkOpened: opensThought(prompt.text) };
  for await (const { completion, tokenId, finishReason } of live.tokens) {
    const own = tokens[completion]!;
    own.push(tokenId);
    const text = processor.decode(own);
    if (finishReason === null) yield { completion, text, done: false };
    else yield { completion, text, done: true, answer: parseAnswer(text, parsing)?.text ?? null };
  }
}
