import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterEach, describe, expect, it } from "vitest";
import { RunError, UserError } from "../core/errors.ts";
import type { Message } from "../core/records.ts";
import { cachedChat } from "./cached-chat.ts";
import { type ChatClientOptions, EndpointError, openChatClient } from "./chat-client.ts";
import { decodeImage } from "./images.ts";
import { openReplyCache, type ReplyCache } from "./reply-cache.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string, count: number) => void;

const servers: Server[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A server on the loopback interface; `requests` has the bodies it was sent. */
async function serve(handler: Handler): Promise<{ readonly baseUrl: string; readonly requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      requests.push(body);
      handler(request, response, body, requests.length);
    });
  });
  servers.push(server);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests };
}

function reply(response: ServerResponse, content: string): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content } }] }));
}

function client(baseUrl: string, o: Partial<ChatClientOptions> & { readonly cache?: ReplyCache } = {}) {
  const waits: number[] = [];
  const endpoint = openChatClient({
    baseUrl,
    model: "judge-1",
    apiKey: null,
    timeoutSeconds: 5,
    maxRetries: 3,
    maxConcurrency: 8,
    sleep: async (ms) => void waits.push(ms),
    ...o,
  });
  return { chat: cachedChat(endpoint, { maxTokens: 16, temperature: 0 }, o.cache ?? null), endpoint, waits };
}

const ask = (text: string): readonly Message[] => [{ role: "user", content: [{ type: "text", text }] }];

describe("the chat client", () => {
  it("asks as the API wants it, and gives the reply", async () => {
    const seen: { url: string | undefined; key: string | undefined }[] = [];
    const { baseUrl, requests } = await serve((request, response) => {
      seen.push({ url: request.url, key: request.headers.authorization });
      reply(response, "VERDICT: YES");
    });
    const { chat } = client(`${baseUrl}/`, { apiKey: "secret" });
    const image = { path: "grey", pixels: { width: 2, height: 1, channels: 1, data: Uint8Array.of(0, 255) } } as const;
    const messages: readonly Message[] = [
      { role: "system", content: [{ type: "text", text: "Judge." }] },
      {
        role: "user",
        content: [
          { type: "image", image },
          { type: "text", text: "Well?" },
        ],
      },
    ];
    expect(await chat.complete(messages)).toBe("VERDICT: YES");
    expect(seen).toEqual([{ url: "/v1/chat/completions", key: "Bearer secret" }]);
    const body = JSON.parse(requests[0]!);
    expect(body).toMatchObject({ model: "judge-1", temperature: 0, max_tokens: 16 });
    expect(body.messages[0]).toEqual({ role: "system", content: "Judge." });
    expect(body.messages[1].content[0].image_url.url).toMatch(/^data:image\/png;base64,iVBOR/);
    expect(body.messages[1].content[1]).toEqual({ type: "text", text: "Well?" });
  });

  it("tries again with growing waits, and as long as the server asks for", async () => {
    const { baseUrl, requests } = await serve((_, response, __, count) => {
      if (count === 1) response.writeHead(503).end("busy");
      else if (count === 2) response.writeHead(429, { "retry-after": "7" }).end();
      else if (count === 3) response.writeHead(429, { "retry-after": "9999" }).end();
      else reply(response, "fine");
    });
    const { chat, waits } = client(baseUrl);
    expect(await chat.complete(ask("?"))).toBe("fine");
    expect(waits).toEqual([500, 7000, 30_000]);
    expect(requests).toHaveLength(4);
  });

  it("tries again after nonsense and dropped connections, and then says what was wrong", async () => {
    const { baseUrl, requests } = await serve((_, response, __, count) => {
      if (count === 1) response.end("<html>it works</html>");
      else if (count === 2) response.end('{"choices": []}');
      else response.socket!.destroy();
    });
    const { chat } = client(baseUrl);
    await expect(chat.complete(ask("?"))).rejects.toThrow(RunError);
    expect(requests).toHaveLength(4);
    const html = await serve((_, response) => void response.end("<html>"));
    await expect(client(html.baseUrl, { maxRetries: 0 }).chat.complete(ask("?"))).rejects.toThrow(
      `model judge-1 at ${html.baseUrl}: answered with something that is no chat completion`,
    );
  });

  it("names what came in place of a completion", async () => {
    const said = async (send: (response: ServerResponse) => void) => {
      const { baseUrl } = await serve((_, response) => send(response));
      return client(baseUrl, { maxRetries: 0 })
        .chat.complete(ask("?"))
        .catch((error: unknown) => (error as Error).message);
    };
    expect(await said((response) => response.end())).toMatch(/no chat completion, an empty body$/);
    expect(await said((response) => response.end('data: {"choices"'))).toMatch(
      /, a stream of events that was not asked/,
    );
    expect(await said((response) => response.end('{"done": true}'))).toMatch(/no chat completion \{"done": true\}$/);
    expect(await said((response) => response.destroy())).toMatch(/: the connection was cut$/);
  });

  it("sends nothing to another address than the user's", async () => {
    const { baseUrl: other, requests } = await serve((_, response) => reply(response, "yes"));
    const { baseUrl } = await serve(
      (_, response) => void response.writeHead(307, { location: `${other}/x?key=1` }).end(),
    );
    const asked = client(baseUrl).chat.complete(ask("?"));
    await expect(asked).rejects.toThrow(`answered 307 and names ${other}/x: nothing is sent to another address`);
    expect(requests).toEqual([]);
  });

  it("takes an address with a query, and that of the requests itself", async () => {
    const urls: (string | undefined)[] = [];
    const { baseUrl } = await serve(({ url }, response) => {
      urls.push(url);
      reply(response, "yes");
    });
    for (const end of ["", "/", "/chat/completions", "?version=1"]) {
      expect(await client(baseUrl + end).chat.complete(ask("?"))).toBe("yes");
    }
    const { pathname } = new URL(baseUrl);
    expect(urls).toEqual(["", "", "", "?version=1"].map((q) => `${pathname}/chat/completions${q}`));
  });

  it("gives up at once where another attempt cannot help, without showing the key", async () => {
    const { baseUrl, requests } = await serve((request, response) => {
      response.writeHead(401).end(`wrong key ${request.headers.authorization}`);
    });
    const { chat, waits } = client(baseUrl, { apiKey: "top-secret" });
    const error = await chat.complete(ask("?")).catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toContain("answered 401 wrong key Bearer ***");
    expect(JSON.stringify([error, (error as Error).stack, (error as Error).cause])).not.toContain("top-secret");
    expect([requests.length, waits]).toEqual([1, []]);
  });

  it("waits for a slow reply no longer than told, in headers and body", async () => {
    const { baseUrl } = await serve((_, response, __, count) => {
      if (count % 2 === 0) response.write('{"choices":'); // and nothing more
    });
    const { chat, waits } = client(baseUrl, { timeoutSeconds: 0.1, maxRetries: 1 });
    const start = performance.now();
    await expect(chat.complete(ask("?"))).rejects.toThrow(/no reply within 0.1 s \(2 attempts\)/);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(waits).toEqual([500]);
  });

  it("says so when nobody listens", async () => {
    const { baseUrl } = await serve(() => {});
    await new Promise((closed) => servers.pop()!.close(closed));
    const { chat } = client(baseUrl, { maxRetries: 1 });
    await expect(chat.complete(ask("?"))).rejects.toThrow(/cannot be reached: ECONNREFUSED \(2 attempts\)/);
  });

  it("sends how to sample, scales images down, and tells why and after how many tokens a reply ended", async () => {
    const { baseUrl, requests } = await serve((_, response) => {
      const choices = [{ message: { content: "a long" }, finish_reason: "length" }];
      response.end(JSON.stringify({ choices, usage: { completion_tokens: 2 } }));
    });
    const { endpoint } = client(baseUrl, { maxPixels: 50 });
    const image = {
      path: "grey",
      pixels: { width: 20, height: 10, channels: 1, data: new Uint8Array(200).fill(90) },
    } as const;
    const messages: readonly Message[] = [{ role: "user", content: [{ type: "image", image }] }];
    const body = await endpoint.body(messages, { maxTokens: 2, temperature: 0.7, topP: 0.9, seed: 3 });
    expect(await endpoint.send(body)).toEqual({ text: "a long", finishReason: "length", tokens: 2 });
    const sent = JSON.parse(requests[0]!);
    expect(sent).toMatchObject({ max_tokens: 2, temperature: 0.7, top_p: 0.9, seed: 3 });
    expect(sent).not.toHaveProperty("top_k");
    const png = Buffer.from(sent.messages[0].content[0].image_url.url.split(",")[1], "base64");
    expect(await sharp(png).metadata()).toMatchObject({ width: 10, height: 5 });
  });

  it("sends a DICOM image as a PNG in its window, without what the file says of the patient", async () => {
    const path = fileURLToPath(new URL("../../test/golden/dicom/ct.dcm", import.meta.url));
    const image = { path, window: { center: 40, width: 400 } };
    const { endpoint } = client("http://127.0.0.1:9/v1");
    const content = [{ type: "image", image }] as const;
    const body = JSON.parse(await endpoint.body([{ role: "user", content }], { maxTokens: 1, temperature: 0 }));
    const png = Buffer.from(body.messages[0].content[0].image_url.url.split(",")[1], "base64");
    expect(png.toString("latin1")).not.toMatch(/CANARY|19010101/);
    expect(await sharp(png).removeAlpha().raw().toBuffer()).toEqual(Buffer.from((await decodeImage(image)).image.data));
  });

  it("calls the limit on tokens as the server wants it", async () => {
    const body = await client("http://127.0.0.1:9/v1", { maxTokensField: "max_completion_tokens" }).endpoint.body(
      ask("?"),
      { maxTokens: 7, temperature: 0 },
    );
    expect(JSON.parse(body)).toMatchObject({ max_completion_tokens: 7 });
    expect(JSON.parse(body)).not.toHaveProperty("max_tokens");
  });

  it.each<[string, object, string | null, string]>([
    ["stop", { content: null, reasoning: "so: no" }, "stop", ""],
    ["length", { content: null, reasoning_content: "The film" }, "length", ""],
    ["a refusal", { content: null, refusal: "I cannot." }, "stop", ""],
    ["a tool's call", { content: null, tool_calls: [{ id: "1" }] }, "tool_calls", ""],
    ["a filter", {}, "content_filter", ""],
    [
      "text parts",
      {
        content: [
          { type: "text", text: "n" },
          { type: "text", text: "o" },
        ],
      },
      "stop",
      "no",
    ],
    [
      "a thought and a text",
      {
        content: [
          { type: "thinking", thinking: "yes?" },
          { type: "text", text: "no" },
        ],
      },
      null,
      "no",
    ],
    ["parts without a text", { content: [{ type: "thinking", thinking: "yes?" }] }, "length", ""],
  ])("takes a reply that ended for an answer, asked once: %s", async (_, message, finish_reason, text) => {
    const { baseUrl, requests } = await serve((__, response) => {
      response.end(JSON.stringify({ choices: [{ message: { role: "assistant", ...message }, finish_reason }] }));
    });
    const { endpoint } = client(baseUrl);
    expect(await endpoint.send("{}")).toMatchObject({ text });
    expect(requests).toHaveLength(1);
  });

  it("asks again where nothing says that the reply has ended", async () => {
    const { baseUrl, requests } = await serve((_, response) => {
      response.end(JSON.stringify({ choices: [{ message: { content: null }, finish_reason: null }] }));
    });
    await expect(client(baseUrl, { maxRetries: 1 }).endpoint.send("{}")).rejects.toThrow(/no chat completion/);
    expect(requests).toHaveLength(2);
  });

  it.each<[string, number, object, string, number]>([
    [
      "OpenAI's",
      400,
      { error: { message: "Use max_completion_tokens instead." } },
      "Use max_completion_tokens instead.",
      1,
    ],
    [
      "FastAPI's",
      422,
      { detail: [{ loc: ["body", "top_k"], msg: "extra" }] },
      '[{"loc":["body","top_k"],"msg":"extra"}]',
      1,
    ],
    ["an older vLLM's", 400, { object: "error", message: "context of 4096 tokens" }, "context of 4096 tokens", 1],
    ["a text", 400, { error: "no images here" }, "no images here", 1],
    ["one inside a 200", 200, { error: { message: "context exceeded", code: 400 } }, "context exceeded", 1],
    ["one for later inside a 200", 200, { error: { message: "busy", code: "503" } }, "busy", 3],
  ])("shows the server's own reason: %s", async (_, status, body, detail, attempts) => {
    const { baseUrl, requests } = await serve((__, response) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
    const error = await client(baseUrl, { maxRetries: 2 })
      .endpoint.send("{}")
      .catch((thrown: unknown) => thrown as EndpointError);
    expect(error).toMatchObject({ detail });
    expect((error as EndpointError).message).toContain(detail);
    expect(requests).toHaveLength(attempts);
  });

  it("tells failures that every request would share from those of one question", async () => {
    const failure = async (answer: (response: ServerResponse) => void) => {
      const { baseUrl } = await serve((_, response) => answer(response));
      const { endpoint } = client(baseUrl, { maxRetries: 0 });
      return endpoint.send("{}").catch((error: unknown) => error as EndpointError);
    };
    expect(await failure((response) => void response.writeHead(401).end("no"))).toMatchObject({ hopeless: true });
    expect(await failure((response) => void response.writeHead(404).end())).toMatchObject({ hopeless: true });
    const tooLong = await failure((response) => void response.writeHead(400).end("context of 9,123 tokens"));
    expect(tooLong).toMatchObject({ hopeless: false, reason: "answered 400", detail: "context of 9,123 tokens" });
    expect((tooLong as EndpointError).message).toContain("answered 400 context of 9,123 tokens");
    expect(await failure((response) => void response.socket!.destroy())).toMatchObject({ hopeless: false });
    const { baseUrl } = await serve(() => {});
    await new Promise((closed) => servers.pop()!.close(closed));
    const gone = await client(baseUrl, { maxRetries: 0 })
      .endpoint.send("{}")
      .catch((error: unknown) => error);
    expect(gone).toBeInstanceOf(EndpointError);
    expect(gone).toMatchObject({ hopeless: true, reason: "cannot be reached: ECONNREFUSED" });
  });

  it("stops at once when told, also while it waits for the next attempt", async () => {
    const { baseUrl, requests } = await serve((_, response, __, count) => {
      if (count === 1) response.writeHead(503, { "retry-after": "20" }).end();
    });
    const endpoint = openChatClient({
      ...{ baseUrl, model: "m", apiKey: null, timeoutSeconds: 30, maxRetries: 3, maxConcurrency: 2 },
    });
    const start = performance.now();
    for (const ms of [200, 400]) {
      await expect(endpoint.send("{}", AbortSignal.timeout(ms))).rejects.toThrow(/abort/i);
    }
    expect(requests).toHaveLength(2);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("has no more requests under way than told", async () => {
    let now = 0;
    let most = 0;
    const { baseUrl } = await serve((_, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        reply(response, "ok");
      }, 20);
    });
    const { chat } = client(baseUrl, { maxConcurrency: 3 });
    await Promise.all(Array.from({ length: 12 }, (_, i) => chat.complete(ask(String(i)))));
    expect(most).toBe(3);
  });

  it("asks once for what is the same, in flight and from run to run", async () => {
    const folder = mkdtempSync(join(tmpdir(), "viva-replies-"));
    folders.push(folder);
    const { baseUrl, requests } = await serve((_, response, __, count) => reply(response, `reply ${count}`));
    const cache = openReplyCache(folder);
    const first = client(baseUrl, { cache, apiKey: "top-secret" });
    expect(await Promise.all([first.chat.complete(ask("a")), first.chat.complete(ask("a"))])).toEqual([
      "reply 1",
      "reply 1",
    ]);
    const second = client("http://127.0.0.1:9/v1", { cache, maxRetries: 0 });
    expect(await second.chat.complete(ask("a"))).toBe("reply 1");
    await expect(second.chat.complete(ask("b"))).rejects.toThrow(RunError);
    await expect(
      client("http://127.0.0.1:9", { cache, model: "other", maxRetries: 0 }).chat.complete(ask("a")),
    ).rejects.toThrow();
    expect(requests).toHaveLength(1);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files).toHaveLength(1);
    expect(readFileSync(join(files[0]!.parentPath, files[0]!.name), "utf8")).toBe('{"reply":"reply 1"}\n');
  });

  it("keeps no failure: what failed is asked again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "viva-replies-"));
    folders.push(folder);
    const { baseUrl } = await serve((_, response, __, count) => {
      if (count === 1) response.writeHead(400).end();
      else reply(response, "now");
    });
    const { chat } = client(baseUrl, { cache: openReplyCache(folder) });
    await expect(chat.complete(ask("a"))).rejects.toThrow(/answered 400/);
    expect(await chat.complete(ask("a"))).toBe("now");
  });

  it.each(["localhost:8000", "ftp://host/v1", "", "http://user:pw@host/v1"])("refuses the address %j", (baseUrl) => {
    expect(() => client(baseUrl)).toThrow(UserError);
    expect(() => client(baseUrl)).not.toThrow(/pw@/);
  });
});
