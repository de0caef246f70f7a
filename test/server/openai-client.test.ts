/** The server as the official openai client sees it. */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeOptions, messagesInStyle, promptStyle, questionMessages } from "../../src/answers/prompts.ts";
import type { Example, Message, SamplingOptions } from "../../src/core/records.ts";
import { openChatClient } from "../../src/io/chat-client.ts";
import { film, image, openEngine, type Served, type ServedEngine, serveEngine, text, until } from "./served.ts";

let engine: ServedEngine;
let served: Served;
let client: OpenAI;
let bright: string;
let dark: string;
beforeAll(async () => {
  engine = await openEngine();
  served = await serveEngine(engine);
  ({ client } = served);
  [bright, dark] = await Promise.all([film(230), film(20)]);
});
afterAll(async () => {
  expect(served.failures).toEqual([]);
  await served.server.close(0);
  await engine.engine.close();
});

type Body = OpenAI.ChatCompletionCreateParamsNonStreaming;
const question: Body = {
  model: "tiny",
  messages: [{ role: "user", content: "Is there an effusion?" }],
  max_completion_tokens: 24,
  seed: 5,
};
const ask = (o: Partial<Body> = {}) => client.chat.completions.create({ ...question, ...o });
const contents = (completion: OpenAI.ChatCompletion) => completion.choices.map(({ message }) => message.content);

/** What the engine gives for messages by itself. */
async function direct(messages: readonly Message[], o: Partial<SamplingOptions>) {
  const prompt = await engine.processor.encode(messages);
  const defaults = { numGenerations: 1, maxCompletionLength: 24, temperature: 1, topP: 1, topK: 0, seed: 5, step: 0 };
  for await (const { completions } of engine.engine.policy.sample([prompt], { ...defaults, ...o })) {
    return { prompt, completions };
  }
  throw new Error("nothing was sampled");
}

const plainQuestion: readonly Message[] = [
  { role: "user", content: [{ type: "text", text: "Is there an effusion?" }] },
];

describe("a completion", () => {
  test("is what the engine samples, in the API's form", async () => {
    const completion = await ask();
    const { prompt, completions } = await direct(plainQuestion, {});
    const [{ text: expected, tokenIds, finishReason }] = completions as [(typeof completions)[0]];
    expect(completion).toMatchObject({
      object: "chat.completion",
      model: "tiny",
      system_fingerprint: "fp_test",
      choices: [{ index: 0, message: { role: "assistant", content: expected }, finish_reason: finishReason }],
      usage: {
        prompt_tokens: prompt.tokenIds.length,
        completion_tokens: tokenIds.length,
        total_tokens: prompt.tokenIds.length + tokenIds.length,
      },
    });
    expect(completion.id).toMatch(/^chatcmpl-/);
    expect(Math.abs(completion.created - Date.now() / 1000)).toBeLessThan(60);
    expect(completion.choices[0]!.logprobs).toBeNull();
  });

  test("is the same for a seed, another for another, and any without one", async () => {
    const [first] = contents(await ask());
    expect(contents(await ask())).toEqual([first]);
    expect(contents(await ask({ seed: 6 }))).not.toEqual([first]);
    const { seed: _, ...free } = question;
    const texts = await Promise.all([1, 2, 3].map(() => client.chat.completions.create(free)));
    expect(new Set(texts.flatMap(contents)).size).toBe(3);
  });

  test("temperature 0 takes the likeliest tokens whatever the seed; top_p narrows what is drawn", async () => {
    const [greedy] = (await direct(plainQuestion, { temperature: 0 })).completions;
    for (const seed of [1, 2]) expect(contents(await ask({ temperature: 0, seed }))).toEqual([greedy!.text]);
    const [narrow] = (await direct(plainQuestion, { temperature: 1.5, topP: 0.3 })).completions;
    expect(contents(await ask({ temperature: 1.5, top_p: 0.3 }))).toEqual([narrow!.text]);
  });

  test("sees images in their places, several of them, and system messages", async () => {
    const look = (first: string, second: string): Body["messages"] => [
      { role: "system", content: "You read films." },
      { role: "user", content: [image(first), text("Compare with"), image(second), text("Which is darker?")] },
      { role: "assistant", content: "The second." },
      { role: "user", content: "Why?" },
    ];
    const bytes = (url: string) => Buffer.from(url.split(",")[1]!, "base64");
    const own: readonly Message[] = [
      { role: "system", content: [{ type: "text", text: "You read films." }] },
      {
        role: "user",
        content: [
          { type: "image", image: { path: "a", bytes: bytes(bright) } },
          { type: "text", text: "Compare with" },
          { type: "image", image: { path: "b", bytes: bytes(dark) } },
          { type: "text", text: "Which is darker?" },
        ],
      },
      { role: "assistant", content: [{ type: "text", text: "The second." }] },
      { role: "user", content: [{ type: "text", text: "Why?" }] },
    ];
    const [expected] = (await direct(own, {})).completions;
    expect(contents(await ask({ messages: look(bright, dark) }))).toEqual([expected!.text]);
    const swapped = await ask({ messages: look(dark, bright), logprobs: true });
    const straight = await ask({ messages: look(bright, dark), logprobs: true });
    expect(swapped.choices[0]!.logprobs).not.toEqual(straight.choices[0]!.logprobs);
  });

  test("n choices are those the engine draws, with the log-probs of their tokens", async () => {
    const { completions } = await direct(plainQuestion, { numGenerations: 4 });
    const completion = await ask({ n: 4, logprobs: true, top_logprobs: 0 });
    expect(contents(completion)).toEqual(completions.map((own) => own.text));
    expect(completion.usage!.completion_tokens).toBe(
      completions.reduce((total, { tokenIds }) => total + tokenIds.length, 0),
    );
    for (const [i, { logprobs, finish_reason }] of completion.choices.entries()) {
      const { logProbs, finishReason, tokenIds } = completions[i]!;
      const kept = finishReason === "stop" ? logProbs.slice(0, -1) : logProbs;
      const entries = logprobs!.content!;
      expect(finish_reason).toBe(finishReason);
      expect(entries.map(({ token }) => token)).toEqual(
        [...tokenIds.slice(0, kept.length)].map((id) => engine.processor.decode([id])),
      );
      for (const [t, { logprob, token, bytes }] of entries.entries()) {
        expect(Math.abs(logprob - kept[t]!)).toBeLessThan(1e-4);
        if (bytes !== null) expect(Buffer.from(bytes).toString()).toBe(token);
      }
    }
  });

  test("ends before a stop string, streamed or not, and gives up the row", async () => {
    const whole = contents(await ask({ max_completion_tokens: 150 }))[0]!;
    const stop = whole.slice(20, 23);
    const at = whole.indexOf(stop);
    for (const given of [stop, ["never in this text", stop]]) {
      const completion = await ask({ max_completion_tokens: 150, stop: given, logprobs: true });
      expect(completion.choices[0]).toMatchObject({ message: { content: whole.slice(0, at) }, finish_reason: "stop" });
      expect(completion.usage!.completion_tokens).toBeLessThan(150);
    }
    const stream = await client.chat.completions.create({
      ...question,
      max_completion_tokens: 150,
      stop,
      stream: true,
    });
    let streamed = "";
    let reason: string | null = null;
    for await (const { choices } of stream) {
      streamed += choices[0]!.delta.content ?? "";
      reason = choices[0]!.finish_reason ?? reason;
    }
    expect([streamed, reason]).toEqual([whole.slice(0, at), "stop"]);
    await until(() => served.server.load.rows === 0);
  });

  test("takes back the client's own copy of an answer, and images with a detail", async () => {
    const first = await ask({ messages: [{ role: "user", content: [image(bright)] }] });
    const [low] = contents(
      await ask({
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: bright, detail: "low" } }] }],
      }),
    );
    expect(low).toBe(contents(first)[0]);
    const { message } = first.choices[0]!;
    const again = await ask({ messages: [...question.messages, message, { role: "user", content: "Why?" }] });
    expect(again.choices).toHaveLength(1);
    const final = await client.chat.completions.stream({ ...question, stream: true }).finalMessage();
    expect(final.content).toBe(contents(await ask())[0]);
    await expect(
      client.chat.completions.parse({ ...question, response_format: { type: "json_object" } }),
    ).rejects.toMatchObject({ status: 400, param: "response_format" });
  });

  test("max_tokens cuts it, by either name", async () => {
    for (const limit of [{ max_tokens: 3 }, { max_completion_tokens: 3 }]) {
      const { max_completion_tokens: _, ...rest } = question;
      const completion = await client.chat.completions.create({ ...rest, ...limit, seed: 5 });
      expect(completion.choices[0]!.finish_reason).toBe("length");
      expect(completion.usage!.completion_tokens).toBe(3);
    }
  });
});

describe("with a prompt of its own", () => {
  const own = (content: Message["content"]): Message => ({ role: "user", content });
  const said = (words: string) => ({ type: "text", text: words }) as const;

  test("user messages are put as questions were in training: images first, in the style's words", async () => {
    const style = promptStyle("think_answer");
    const { server, client: styled } = await serveEngine(engine, { prompt: style });
    const asked = { ...question, messages: [{ role: "user", content: [text("Is it clear?"), image(bright)] }] } as Body;
    const bytes = Buffer.from(bright.split(",")[1]!, "base64");
    const images = [{ path: "a", bytes }];
    const rest = { id: "a", subjectId: "a", answer: "", answerType: "open", choices: [], meta: {} } as const;
    const example: Example = { question: "Is it clear?", images, ...rest };
    const { prompt, completions } = await direct(questionMessages(example, style), {});
    const completion = await styled.chat.completions.create(asked);
    expect(contents(completion)).toEqual([completions[0]!.text]);
    expect(completion.usage!.prompt_tokens).toBe(prompt.tokenIds.length);
    expect(completion.usage!.prompt_tokens).toBeGreaterThan((await ask(asked)).usage!.prompt_tokens + 10);
    await server.close(0);
  });

  test("a system message, a transcript and a beginning of the answer are the style's", async () => {
    const style = promptStyle("base");
    const { server, client: styled } = await serveEngine(engine, { prompt: style });
    const messages = [own([said("Is there an effusion?")])];
    const prompt = await engine.processor.encode(messagesInStyle(messages, style), encodeOptions(style));
    expect(prompt.text).toMatch(/^A conversation[\s\S]*User: Is there an effusion\?\nAssistant: Let me .*\n<think>$/);
    expect((await styled.chat.completions.create(question)).usage!.prompt_tokens).toBe(prompt.tokenIds.length);
    const refused = styled.chat.completions.create({
      ...question,
      messages: [{ role: "system", content: "Be brief." }, ...question.messages],
    });
    await expect(refused).rejects.toThrow(/has a system message of its own: leave yours out/);
    await server.close(0);
  });
});

describe("a stream", () => {
  test("comes in pieces that make the whole completion, choices interleaved, with usage when asked for", async () => {
    const whole = await ask({ n: 3, logprobs: true });
    const stream = await client.chat.completions.create({
      ...question,
      n: 3,
      logprobs: true,
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts = ["", "", ""];
    const tokens: OpenAI.ChatCompletionTokenLogprob[][] = [[], [], []];
    const reasons: (string | null)[] = [];
    let pieces = 0;
    let usage: OpenAI.CompletionUsage | null = null;
    const ids = new Set<string>();
    for await (const chunk of stream) {
      expect(chunk.object).toBe("chat.completion.chunk");
      ids.add(chunk.id);
      expect(usage).toBeNull(); // it comes last
      usage = chunk.usage ?? null;
      for (const { index, delta, finish_reason, logprobs } of chunk.choices) {
        if (delta.content) pieces++;
        texts[index]! += delta.content ?? "";
        tokens[index]!.push(...(logprobs?.content ?? []));
        if (finish_reason !== null) reasons[index] = finish_reason;
      }
    }
    expect(texts).toEqual(contents(whole));
    expect(tokens).toEqual(whole.choices.map(({ logprobs }) => logprobs!.content));
    expect(reasons).toEqual(whole.choices.map(({ finish_reason }) => finish_reason));
    expect(usage).toEqual(whole.usage);
    expect(ids.size).toBe(1);
    expect(pieces).toBeGreaterThan(20);
  });

  test("that is left frees its rows", async () => {
    const controller = new AbortController();
    const body = { ...question, n: 8, max_completion_tokens: 200, temperature: 0.01, stream: true } as const;
    const stream = await client.chat.completions.create(body, { signal: controller.signal });
    for await (const { choices } of stream) if (choices[0]?.delta.content) break;
    controller.abort();
    await until(() => served.server.load.rows === 0 && served.server.load.queue === 0);
  });
});

describe("models and health", () => {
  test("the model is listed and found by its name", async () => {
    const models = [];
    for await (const model of client.models.list()) models.push(model);
    expect(models).toEqual([{ id: "tiny", object: "model", created: 1_700_000_000, owned_by: "viva" }]);
    expect(await client.models.retrieve("tiny")).toEqual(models[0]);
    await expect(client.models.retrieve("other/model")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  test("health tells what is under way", async () => {
    const health = await (await fetch(new URL("/health", served.server.baseUrl))).json();
    expect(health).toEqual({ status: "ok", model: "tiny", queue: 0, rows: 0, uptime_s: expect.any(Number) });
  });
});

describe("what is refused", () => {
  const remote = "https://example.org/film.png";
  const user = (...content: OpenAI.ChatCompletionContentPart[]) => ({ messages: [{ role: "user", content }] });
  const url = "messages[0].content[0].image_url.url";
  test.each<[string, object, string, string | null]>([
    ["a call without tools", { tool_choice: "required" }, "tool_choice", null],
    ["json output", { response_format: { type: "json_object" } }, "response_format", "unsupported_parameter"],
    ["a logit bias", { logit_bias: { 5: 1 } }, "logit_bias", "unsupported_parameter"],
    ["a penalty", { presence_penalty: 0.5 }, "presence_penalty", "unsupported_parameter"],
    ["other likely tokens", { logprobs: true, top_logprobs: 3 }, "top_logprobs", "unsupported_value"],
    ["a top-k", { top_k: 5 }, "top_k", "unsupported_parameter"],
    ["an unknown field", { beam_width: 5 }, "beam_width", "unknown_parameter"],
    ["an address", user(image(remote)), url, "invalid_image_url"],
    ["a path", user(image("/etc/passwd")), url, "invalid_image_url"],
    ["a file address", user(image("file:///etc/passwd")), url, "invalid_image_url"],
    ["another data URL", user(image("data:text/plain,hello")), url, "invalid_image_url"],
    ["broken base64", user(image("data:image/png;base64,@@@")), url, "invalid_base64"],
    ["no image", user(image("data:image/png;base64,aGVsbG8gd29ybGQhISE=")), "messages", "invalid_value"],
    ["a tool's answer to no call", { messages: [{ role: "tool", content: "x" }] }, "messages[0].tool_call_id", null],
    [
      "audio",
      { messages: [{ role: "user", content: [{ type: "input_audio" }] }] },
      "messages[0].content[0].type",
      null,
    ],
    ["no messages", { messages: [] }, "messages", "invalid_value"],
    ["too many choices", { n: 1000 }, "n", "invalid_value"],
    ["a text for a number", { temperature: "hot" }, "temperature", "invalid_type"],
    ["a negative temperature", { temperature: -1 }, "temperature", "invalid_value"],
    ["five stop strings", { stop: ["a", "b", "c", "d", "e"] }, "stop", null],
    ["an empty stop string", { stop: "" }, "stop", null],
    ["stream options without a stream", { stream_options: { include_usage: true } }, "stream_options", null],
    ["more tokens than there are", { max_completion_tokens: 5000 }, "max_completion_tokens", "invalid_value"],
    ["a special token", user(text("<|im_end|>")), "messages", "invalid_value"],
    ["too long a prompt", user(text("effusion ".repeat(400))), "messages", "context_length_exceeded"],
  ])("%s", async (_, change, param, code) => {
    const error = await ask(change as Partial<Body>).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    const { param: found, code: foundCode, type, message } = error as InstanceType<typeof OpenAI.APIError>;
    expect(found).toBe(param);
    expect(type).toBe("invalid_request_error");
    if (code !== null) expect(foundCode).toBe(code);
    expect(message.length).toBeLessThan(400);
  });

  test.each([
    [
      "neutral values",
      { tools: [], logit_bias: {}, presence_penalty: 0, response_format: { type: "text" }, top_logprobs: 0 },
    ],
    ["fields that change nothing", { user: "u", metadata: { a: "b" }, store: false, service_tier: "auto" }],
    ["neutral values of other servers' samplers", { repetition_penalty: 1.0, top_k: -1, min_p: 0, best_of: 1 }],
    ["null for absent", { stop: null, n: null, seed: 5, logprobs: null, tools: null }],
  ])("but not %s", async (_, change) => {
    expect(contents(await ask(change as Partial<Body>))).toEqual(contents(await ask()));
  });

  test("an image too large is refused by its header", async () => {
    const large = await film(90, 1200);
    const error = await ask({ messages: [{ role: "user", content: [image(large)] }] }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ code: "image_too_large" });
  });

  test("another model", async () => {
    await expect(ask({ model: "gpt-4o" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  const post = (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = { "content-type": "application/json" },
  ) => fetch(`${served.server.baseUrl}/chat/completions`, { method: "POST", body, headers });
  const code = async (response: Response) => {
    const { error } = (await response.json()) as { error: { code: string; message: string; type: string } };
    expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"]);
    return [response.status, error.code];
  };

  test("what is no JSON, of another type, too large, or at another place", async () => {
    expect(await code(await post('{"model": '))).toEqual([400, "invalid_json"]);
    expect(await code(await post("[1, 2]"))).toEqual([400, "invalid_type"]);
    expect(await code(await post(Uint8Array.of(0xff, 0xfe)))).toEqual([400, "invalid_json"]);
    expect(await code(await post("{}", { "content-type": "text/plain" }))).toEqual([415, "unsupported_media_type"]);
    expect(await code(await post("x".repeat(1_000_001)))).toEqual([413, "body_too_large"]);
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
    });
    const init = { method: "POST", body: endless, duplex: "half", headers: { "content-type": "application/json" } };
    const sent = await fetch(`${served.server.baseUrl}/chat/completions`, init as RequestInit).catch((e: unknown) => e);
    if (sent instanceof Response) expect(sent.status).toBe(413); // or cut off while it was still sending
    expect(await code(await fetch(`${served.server.baseUrl}/chat/completions`))).toEqual([405, "method_not_allowed"]);
    expect(await code(await fetch(`${served.server.baseUrl}/embeddings`, { method: "POST" }))).toEqual([
      404,
      "not_found",
    ]);
    expect(served.server.load).toEqual({ queue: 0, rows: 0 });
  });

  test("a web page that made its name point here", async () => {
    const { request } = await import("node:http");
    const { port } = new URL(served.server.baseUrl);
    const status = await new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path: "/v1/models", headers: { host: `evil.example:${port}` } };
      request(options, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(403);
  });
});

describe("with a key", () => {
  test("only those who have it are answered", async () => {
    const { server, client: keyed } = await serveEngine(engine, { apiKey: "correct-horse" });
    expect(contents(await keyed.chat.completions.create(question))).toEqual(contents(await ask()));
    for (const apiKey of ["wrong", "correct-horsf", "correct-horse2"]) {
      const stranger = new OpenAI({ baseURL: server.baseUrl, apiKey, maxRetries: 0 });
      const error = await stranger.chat.completions.create(question).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
      expect(String(error)).not.toContain("correct");
    }
    expect((await fetch(`${server.baseUrl}/models`)).status).toBe(401);
    expect((await fetch(new URL("/health", server.baseUrl))).status).toBe(200);
    await server.close(0);
  });
});

test("training's judge client asks it", async () => {
  const judge = openChatClient({
    baseUrl: served.server.baseUrl,
    model: "tiny",
    apiKey: null,
    timeoutSeconds: 30,
    maxRetries: 0,
    maxConcurrency: 4,
  });
  const pixels = { width: 28, height: 28, channels: 3, data: new Uint8Array(28 * 28 * 3).fill(90) } as const;
  const messages: readonly Message[] = [
    { role: "system", content: [{ type: "text", text: "Judge." }] },
    {
      role: "user",
      content: [
        { type: "image", image: { path: "grey", pixels } },
        { type: "text", text: "Is it right?" },
      ],
    },
  ];
  const [expected] = (await direct(messages, { temperature: 0, maxCompletionLength: 12 })).completions;
  const reply = await judge.send(await judge.body(messages, { maxTokens: 12, temperature: 0 }));
  expect(reply).toEqual({
    text: expected!.text,
    finishReason: expected!.finishReason,
    tokens: expected!.tokenIds.length,
  });
});
