import { describe, expect, test } from "vitest";
import type { Processor } from "../core/processor.ts";
import type { LiveToken } from "../engine/engine.ts";
import { type ServedModel, startChat } from "./chat.ts";
import { readChatRequest } from "./chat-request.ts";
import { eventStream } from "./event-stream.ts";
import { RequestPool } from "./request-pool.ts";

const limits = { maxCompletionLength: 10, maxPromptTokens: 100, maxImagePixels: 100 };
const prompt = { text: "", tokenIds: new Int32Array(3), images: [] };

/** A model that says its tokens when they are let out, one letter each. */
function fakeModel() {
  const givenUp: (number | undefined)[] = [];
  const tokens: LiveToken[] = [];
  let wake = () => {};
  const model: ServedModel = {
    name: "fake",
    created: 0,
    fingerprint: "fp",
    contextLength: 100,
    processor: {
      layOut: () => ({ tokenIds: prompt.tokenIds, imageFeatures: [] }),
      encode: async () => prompt,
      decode: (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids)),
    } satisfies Pick<Processor, "encode" | "layOut" | "decode">,
    engine: {
      decode: () => ({
        tokens: (async function* () {
          while (givenUp.length === 0) {
            const token = tokens.shift();
            if (token === undefined) await new Promise<void>((resolve) => (wake = resolve));
            else yield token;
            if (token?.finishReason != null) return;
          }
        })(),
        giveUp: (completion) => {
          givenUp.push(completion);
          wake();
        },
      }),
    },
  };
  const say = (letter: string, finishReason: LiveToken["finishReason"] = null) => {
    tokens.push({ completion: 0, tokenId: letter.charCodeAt(0), logProb: -1, finishReason });
    wake();
  };
  return { model, givenUp, say };
}

async function open(seconds = 60) {
  const pool = new RequestPool({ maxQueue: 4, requestTimeoutSeconds: seconds });
  const request = pool.enter();
  const fake = fakeModel();
  const chat = readChatRequest({ model: "fake", messages: [{ role: "user", content: "?" }], stream: true });
  const answering = await startChat(chat, fake.model, limits, request);
  const errorBody = (error: unknown) => ({ error: (error as Error).message });
  const { body } = eventStream(chat, answering, request, errorBody);
  return { ...fake, pool, reader: body!.pipeThrough(new TextDecoderStream()).getReader() };
}

describe("an event stream", () => {
  test("gives each token as it comes", async () => {
    const { pool, reader, say } = await open();
    expect(pool.load).toEqual({ queue: 1, rows: 0 });
    expect((await reader.read()).value).toContain('"role":"assistant"');
    for (const letter of ["a", "b"]) {
      say(letter);
      expect((await reader.read()).value).toContain(`"content":"${letter}"`);
      expect(pool.load).toEqual({ queue: 0, rows: 1 });
    }
    say("c", "length");
    expect((await reader.read()).value).toMatch(/"content":"c".*"finish_reason":"length"/);
    expect((await reader.read()).value).toBe("data: [DONE]\n\n");
    expect(await reader.read()).toMatchObject({ done: true });
    expect(pool.load).toEqual({ queue: 0, rows: 0 });
  });

  test("whose client leaves before the first token gives up the prompt", async () => {
    const { pool, reader, givenUp } = await open();
    await reader.cancel();
    await expect.poll(() => pool.load).toEqual({ queue: 0, rows: 0 });
    expect(givenUp).toContain(undefined);
    await pool.close(60); // nobody is inside any more
  });

  test("that takes too long ends with an error in place of [DONE]", async () => {
    const { pool, reader, say, givenUp } = await open(0.05);
    say("a");
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
    }
    expect(text).toMatch(/"content":"a".*data: \{"error":"not done within 0.05 s"\}\n\n$/s);
    expect(givenUp).toContain(undefined);
    expect(pool.load).toEqual({ queue: 0, rows: 0 });
  });
});
