/** Many clients at once: nothing hangs, nothing is left behind, and everyone gets what he gets alone. */
import { connect } from "node:net";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { integer, randomKey } from "../../src/core/random.ts";
import { film, image, openEngine, type Served, type ServedEngine, serveEngine, text, until } from "./served.ts";

let engine: ServedEngine;
let films: readonly string[];
beforeAll(async () => {
  engine = await openEngine(16);
  films = await Promise.all([10, 90, 170, 250].map((grey) => film(grey)));
});
afterAll(() => engine.engine.close());

type Body = OpenAI.ChatCompletionCreateParamsNonStreaming;

/** Short and long, greedy and drawn, with and without images, stop strings and several choices. */
function body(i: number): Body {
  const question = text(["Is it clear?", "Which side is larger, and by how much?"][i % 2]!);
  const pictures = films.slice(0, i % 3).map(image);
  return {
    model: "tiny",
    messages: [{ role: "user", content: [...pictures, question] }],
    max_completion_tokens: [4, 16, 120][i % 3]!,
    temperature: [0, 0.8, 1.5][i % 3]!,
    top_p: i % 4 === 3 ? 0.8 : 1,
    n: i % 8 === 5 ? 3 : 1,
    seed: i % 10,
    ...(i % 5 === 4 ? { stop: ["e", "the"] } : {}),
  };
}
const answerOf = ({ choices, usage }: OpenAI.ChatCompletion) => ({ choices, usage });

describe("64 clients at once", () => {
  let served: Served;
  let alone: readonly object[];
  beforeAll(async () => {
    served = await serveEngine(engine);
    const answers: object[] = [];
    for (let i = 0; i < 24; i++) answers.push(answerOf(await served.client.chat.completions.create(body(i))));
    alone = answers;
  });
  afterAll(() => served.server.close(0));

  /** What a client may do beside asking: leave early, send rubbish, send too much. */
  const mischief: readonly ((i: number) => Promise<unknown>)[] = [
    async (i) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), integer(randomKey(i), 0, 60));
      const long = { ...body(2), n: 4, max_completion_tokens: 200 };
      await served.client.chat.completions.create(long, { signal: controller.signal }).catch(() => {});
    },
    async () => {
      const stream = await served.client.chat.completions.create({ ...body(2), stream: true });
      for await (const _ of stream) break;
    },
    async () => {
      const request = served.client.chat.completions.create({ ...body(0), messages: [] });
      await expect(request).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    },
    async () => {
      const large = "x".repeat(1_200_000);
      const request = served.client.chat.completions.create({
        ...body(0),
        messages: [{ role: "user", content: large }],
      });
      await expect(request).rejects.toMatchObject({ status: 413 });
    },
    async () => {
      const content = [image(`data:image/png;base64,${Buffer.from("\x89PNG\r\n not a film").toString("base64")}`)];
      const request = served.client.chat.completions.create({ ...body(0), messages: [{ role: "user", content }] });
      await expect(request).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    },
    async () => {
      const response = await fetch(`${served.server.baseUrl}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"model": "tiny", "messages": [{',
      });
      expect(response.status).toBe(400);
      await response.text();
    },
    // Half a request, and then silence: the connection is simply dropped.
    (i) =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(Number(new URL(served.server.baseUrl).port), "127.0.0.1", () => {
          socket.write("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
          socket.write('content-length: 5000\r\n\r\n{"model": "tiny"');
          setTimeout(() => socket.destroy(), i);
        });
        socket.on("close", () => resolve()).on("error", reject);
      }),
  ];

  test("each gets what he gets alone, whatever others do", async () => {
    let compared = 0;
    const one = async (c: number) => {
      for (let k = 0; k < 2; k++) {
        const i = 2 * c + k;
        if (i % 3 === 1) {
          await mischief[Math.floor(i / 3) % mischief.length]!(i);
          continue;
        }
        const completion = await served.client.chat.completions.create(body(i % 24));
        expect(answerOf(completion), `request ${i}`).toEqual(alone[i % 24]);
        compared++;
      }
    };
    await Promise.all(Array.from({ length: 64 }, (_, c) => one(c)));
    expect(compared).toBeGreaterThan(80);
    await until(() => served.server.load.queue === 0 && served.server.load.rows === 0);
    expect(served.failures).toEqual([]);
  });
});

describe("limits", () => {
  const long = (): Body => ({
    ...body(2),
    messages: [{ role: "user", content: "Describe." }],
    max_completion_tokens: 200,
    n: 8,
  });

  test("a full queue answers 429 and when to come again; the rest is served", async () => {
    const { server, client, failures } = await serveEngine(engine, { limits: { maxQueue: 6 } });
    const hog = client.chat.completions.create({ ...long(), n: 64 }); // four times the rows
    await until(() => server.load.rows > 0);
    const requests = Array.from({ length: 20 }, () =>
      client.chat.completions.create({ ...long(), n: 1 }).catch((error: unknown) => error),
    );
    const results = await Promise.all(requests);
    const refused = results.filter((result) => result instanceof OpenAI.RateLimitError);
    expect(refused.length).toBeGreaterThan(0);
    for (const { code, headers } of refused) {
      expect([code, headers!.get("retry-after")]).toEqual(["queue_full", "2"]);
    }
    const answered = results.filter((result) => !(result instanceof Error)) as OpenAI.ChatCompletion[];
    expect(answered.length + refused.length).toBe(20);
    expect((await hog).choices.length).toBe(64);
    expect(new Set(answered.map(({ choices }) => choices[0]!.message.content)).size).toBe(1);
    expect(server.load).toEqual({ queue: 0, rows: 0 });
    expect(failures).toEqual([]);
    await server.close(0);
  });

  test("a request that takes too long is ended, streamed or not", async () => {
    const { server, client } = await serveEngine(engine, { limits: { requestTimeoutSeconds: 0.05 } });
    const endless = { ...long(), n: 64 };
    await expect(client.chat.completions.create(endless)).rejects.toMatchObject({ status: 504, code: "timeout" });
    const read = async () => {
      const stream = await client.chat.completions.create({ ...endless, stream: true });
      for await (const _ of stream);
    };
    await expect(read()).rejects.toMatchObject({ code: "timeout" });
    await until(() => server.load.rows === 0);
    await server.close(0);
  });

  test("closing lets what runs end, refuses the rest, and cuts off what takes too long", async () => {
    const patient = await serveEngine(engine);
    const running = patient.client.chat.completions.create({ ...long(), n: 1 });
    await until(() => patient.server.load.rows > 0);
    const closing = patient.server.close(30);
    await expect(patient.client.models.list()).rejects.toThrow();
    expect((await running).choices[0]!.finish_reason).toMatch(/stop|length/);
    await closing;

    const hasty = await serveEngine(engine);
    const cut = hasty.client.chat.completions.create({ ...long(), n: 64 }).catch((error: unknown) => error);
    await until(() => hasty.server.load.rows > 0);
    await hasty.server.close(0);
    expect(await cut).toMatchObject({ status: 503, code: "shutting_down" });
  });

  test("an address that others can reach needs a key", async () => {
    const { startServer } = await import("../../src/server/server.ts");
    const options = { host: "0.0.0.0", port: 0, apiKey: null } as Parameters<typeof startServer>[0];
    await expect(startServer(options)).rejects.toThrow(/--api-key-file/);
  });
});
