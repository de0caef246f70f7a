/** Solved examples before supervised questions: in the prompt, without images, and not learned from. */
import { describe, expect, it } from "vitest";
import type { Processor } from "../core/processor.ts";
import type { Example, Message } from "../core/records.ts";
import type { TokenBatch, TrainingEngine } from "../engine/engine.ts";
import type { TrainingContext } from "./context.ts";
import type { SftSettings } from "./settings.ts";
import { sftStep } from "./sft.ts";

const pixels = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) } as const;
const examples = Array.from(
  { length: 12 },
  (_, i): Example => ({
    ...{ id: `e${i}`, subjectId: `s${i % 6}`, question: `question ${i}`, images: [{ path: `${i}.png`, pixels }] },
    ...{ answer: `answer ${i}`, answerType: "open", choices: [], meta: {} },
  }),
);

/** The chats that a step asked, and the batch it trained on. */
async function stepWith(more: Partial<SftSettings>) {
  const chats: (readonly Message[])[] = [];
  let batch: TokenBatch | null = null;
  const processor = {
    encode: async (messages: readonly Message[]) => {
      chats.push(messages);
      return { text: "", tokenIds: new Int32Array(messages.length), images: [] };
    },
    encodeCompletion: (text: string) => new Int32Array(text.length),
  } as unknown as Processor;
  const engine = {
    forwardBackward: async (given: TokenBatch) => {
      batch = given;
      return { loss: 0, logProbs: [], entropies: [] };
    },
    optimStep: async () => ({ gradNorm: 0 }),
  } as unknown as TrainingEngine;
  const context = { engine, processor, examples, seed: 3, stage: 0, steps: 1, onBadImage: "error", onSkip() {} };
  const prompt = { style: "plain", system: null, user: "{question}" } as const;
  const settings = {
    adversarial: null,
    ...{ kind: "sft", batch_size: 8, target: "answer", in_context_examples: 0, in_context_fixed: false },
    ...{ learning_rate: 0, lr_scheduler_type: "constant", warmup_steps: 0, weight_decay: 0, max_grad_norm: 1 },
    ...{ adam_beta1: 0.9, adam_beta2: 0.999, adam_epsilon: 1e-8, ...more },
  } as SftSettings;
  const { examples: asked } = await sftStep({ ...context, prompt } as unknown as TrainingContext, settings, {
    ...{ index: 0, step: 1 },
  });
  return { chats, batch: batch! as TokenBatch, asked };
}

const textOf = ({ content }: Message) => content.map((part) => (part.type === "text" ? part.text : "<image>")).join("");

describe("solved examples in supervised training", () => {
  it("stand before the question as earlier turns without images, of other subjects", async () => {
    for (const in_context_fixed of [true, false]) {
      const { chats, asked } = await stepWith({ in_context_examples: 2, in_context_fixed });
      for (const [i, chat] of chats.entries()) {
        expect(chat.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant", "user"]);
        const own = Number(asked[i]!.slice(1));
        expect(textOf(chat.at(-1)!)).toBe(`<image>question ${own}`);
        for (const turn of [0, 2]) {
          const shot = Number(/^question (\d+)$/.exec(textOf(chat[turn]!))![1]);
          expect(shot % 6).not.toBe(own % 6);
          expect(textOf(chat[turn + 1]!)).toBe(`answer ${shot}`);
        }
      }
    }
  });

  it("are not learned from: completions hold the question's own target, every token of one weight", async () => {
    const { batch, asked } = await stepWith({ in_context_examples: 2 });
    const lengths = asked.map((id) => `answer ${id.slice(1)}`.length);
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    expect(batch.groups.map(({ completions }) => completions.map(({ tokenIds }) => tokenIds.length))).toEqual(
      lengths.map((length) => [length]),
    );
    expect(batch.groups.flatMap(({ completions }) => completions.map(({ weight }) => weight))).toEqual(
      lengths.map(() => 1 / tokens),
    );
    expect(batch.groups.every(({ inPlace }) => inPlace === undefined)).toBe(true);
  });

  it("are none by default: the prompts of plain training", async () => {
    const { chats, asked } = await stepWith({});
    expect(chats.map((chat) => chat.map(textOf))).toEqual(asked.map((id) => [`<image>question ${id.slice(1)}`]));
  });
});
