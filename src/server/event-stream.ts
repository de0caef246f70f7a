/** A chat's answer as server-sent events: one chunk per delta, made when the client has taken the one before. */
import { clientGone } from "./api-error.ts";
import type { Answering } from "./chat.ts";
import type { ChatRequest } from "./chat-request.ts";
import { deltaChunk, openingChunk, usageChunk, usageOf } from "./completion.ts";
import type { PoolRequest } from "./request-pool.ts";

/** The request leaves its pool when the stream has ended, failed or lost its reader. */
export function eventStream(
  chat: ChatRequest,
  answering: Answering,
  request: PoolRequest,
  errorBody: (error: unknown) => object,
): Response {
  const chunks = chunksOf(chat, answering);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const put = (text: string) => controller.enqueue(encoder.encode(`data: ${text}\n\n`));
      try {
        const { value, done } = await chunks.next();
        if (!done) {
          put(JSON.stringify(value));
          return;
        }
        put("[DONE]");
      } catch (error) {
        put(JSON.stringify(errorBody(error)));
      }
      controller.close();
      request.leave();
    },
    async cancel() {
      request.abort(clientGone());
      await chunks.return();
      request.leave();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}

async function* chunksOf(chat: ChatRequest, { head, deltas, promptTokens, completionTokens }: Answering) {
  for (let index = 0; index < chat.n; index++) yield openingChunk(head, index);
  for await (const { index, delta } of deltas) {
    const isEmpty = delta.text === "" && delta.finishReason === null;
    if (!isEmpty) yield deltaChunk(head, index, delta, chat.logprobs);
  }
  if (chat.includeUsage) yield usageChunk(head, usageOf(promptTokens, completionTokens()));
}
