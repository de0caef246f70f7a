/** The HTTP side: routes, and errors in the OpenAI API's form. */
import type { Context, Hono } from "hono";
import { RunError } from "../core/errors.ts";
import { ApiError, clientGone } from "./api-error.ts";
import { type Env, openApp, refuseOtherMethods } from "./base-app.ts";
import { type ChatLimits, type ServedModel, startChat, unknownModel, wholeAnswer } from "./chat.ts";
import { readChatRequest } from "./chat-request.ts";
import { completionBody } from "./completion.ts";
import { eventStream } from "./event-stream.ts";
import { readJsonBody } from "./read-body.ts";
import type { RequestPool } from "./request-pool.ts";

export interface AppOptions {
  readonly model: ServedModel;
  readonly limits: ChatLimits & { readonly maxBodyBytes: number };
  readonly pool: RequestPool;
  /** Null lets everybody in who reaches the server. */
  readonly apiKey: string | null;
  /** Told of failures that are not the client's; `fatal` when the engine is gone. */
  readonly onFailure: (error: unknown, fatal: boolean) => void;
}

/** For a client to take what it is told when its request is aborted. */
const LAST_WORDS_MS = 5000;

export function createApp(o: AppOptions): Hono<Env> {
  const { model, pool, apiKey } = o;
  const startedAt = performance.now();
  const app = openApp(apiKey, (error) => apiError(error, o.onFailure));

  app.get("/health", (c) =>
    c.json({
      status: pool.closed ? "stopping" : "ok",
      model: model.name,
      ...pool.load,
      uptime_s: Math.round((performance.now() - startedAt) / 1000),
    }),
  );
  const card = { id: model.name, object: "model", created: model.created, owned_by: "viva" };
  app.get("/v1/models", (c) => c.json({ object: "list", data: [card] }));
  app.get("/v1/models/:model{.+}", (c) => {
    if (c.req.param("model") !== model.name) throw unknownModel(c.req.param("model"), model.name);
    return c.json(card);
  });
  app.post("/v1/chat/completions", (c) => chatCompletion(c, o));
  refuseOtherMethods(app, [
    ["/health", "GET"],
    ["/v1/models", "GET"],
    ["/v1/models/*", "GET"],
    ["/v1/chat/completions", "POST"],
  ]);
  return app;
}

async function chatCompletion(c: Context<Env>, { model, limits, pool, onFailure }: AppOptions): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const request = pool.enter();
  outgoing.on("close", () => {
    if (!outgoing.writableFinished) request.abort(clientGone());
  });
  request.signal.addEventListener("abort", () => {
    // A client that does not read would never see the end of its answer.
    const cut = () => outgoing.writableFinished || outgoing.destroy();
    setTimeout(cut, LAST_WORDS_MS).unref();
  });
  let streams = false;
  try {
    const chat = readChatRequest(await readJsonBody(incoming, limits.maxBodyBytes, request.signal));
    const answering = await startChat(chat, model, limits, request);
    if (chat.stream) {
      streams = true;
      return eventStream(chat, answering, request, (error) => errorBody(error, onFailure));
    }
    const { choices, usage } = await wholeAnswer(answering, chat.n);
    return c.json(completionBody(answering.head, choices, { logprobs: chat.logprobs, usage }));
  } finally {
    if (!streams) request.leave();
  }
}

function errorBody(error: unknown, onFailure: AppOptions["onFailure"]): object {
  return apiError(error, onFailure).body;
}

/** What clients are told of an error: of our own failures, only that there was one. */
function apiError(error: unknown, onFailure: AppOptions["onFailure"]): ApiError {
  if (error instanceof ApiError) return error;
  onFailure(error, error instanceof RunError);
  return new ApiError(500, "the server failed to answer; its log says why", { code: "internal_error" });
}
