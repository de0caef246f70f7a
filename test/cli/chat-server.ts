/** An OpenAI-compatible server on the loopback as evaluations meet it: answers, delays, refusals, drops, garbage. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";

/** A request as the server saw it. */
export interface ChatRequest {
  readonly key: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many kinds
  readonly body: any;
  /** The text of the last message. */
  readonly text: string;
  /** How often this very body was sent, from 1. */
  readonly times: number;
}

/** Answers a request by itself and returns null, or gives the text to answer with. */
export type ChatHandler = (request: ChatRequest, response: ServerResponse) => Promise<string | null> | string | null;

export interface ChatServer {
  readonly url: string;
  readonly requests: ChatRequest[];
  /** Most requests that were open at the same time. */
  readonly mostOpen: () => number;
}

/** Serves until the test file ends. */
export async function serveChat(handler: ChatHandler): Promise<ChatServer> {
  const requests: ChatRequest[] = [];
  let open = 0;
  let most = 0;
  const server = createServer(async (request, response) => {
    most = Math.max(most, ++open);
    response.on("close", () => open--);
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const body = JSON.parse(text);
    const last = body.messages.at(-1).content;
    const seen: ChatRequest = {
      key: request.headers.authorization,
      body,
      text: typeof last === "string" ? last : last.find((part: { type: string }) => part.type === "text").text,
      times: requests.filter((earlier) => JSON.stringify(earlier.body) === JSON.stringify(body)).length + 1,
    };
    requests.push(seen);
    if (request.url !== "/v1/chat/completions") return void response.writeHead(404).end();
    const content = await handler(seen, response);
    if (content === null) return;
    const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ choices, usage: { completion_tokens: content.split(" ").length } }));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return { url, requests, mostOpen: () => most };
}

/** Waits, as a busy server does. */
export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
