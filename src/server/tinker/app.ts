/** The HTTP side of the Tinker API: routes, bodies, and errors as its SDKs read them. */
import { type Context, Hono } from "hono";
import { messageOf, UserError } from "../../core/errors.ts";
import { decodeForwardBackwardRequest, decodeForwardBackwardTurn, PROTOBUF, requests } from "../../tinker/index.ts";
import { requireKey, requireLoopbackHost } from "../access.ts";
import { ApiError } from "../api-error.ts";
import type { Env } from "../base-app.ts";
import { readBytes, readJsonBody } from "../read-body.ts";
import { checkpointRoutes } from "./checkpoint-routes.ts";
import { downloadRoutes } from "./download-routes.ts";
import { endpoints } from "./endpoints.ts";
import { openLinks } from "./links.ts";
import { refusals } from "./refusals.ts";
import type { TinkerService } from "./service.ts";
import { sessionRoutes } from "./session-routes.ts";

export interface TinkerAppOptions {
  readonly service: TinkerService;
  readonly maxBodyBytes: number;
  /** Null lets everybody in who reaches the server. */
  readonly apiKey: string | null;
  readonly onFailure: (error: unknown) => void;
}

/** A client that asks for a result waits so long before it is told to ask again; SDKs give up after 45 s. */
const WAIT_MS = 30_000;
/** Bytes of a part of a batch: the client's estimate is not exact. */
const PART_OF_BODY = 0.5;

export function createTinkerApp(o: TinkerAppOptions): Hono<Env> {
  const { service, maxBodyBytes, apiKey, onFailure } = o;
  const app = new Hono<Env>();
  const links = openLinks();
  const isLinked = (c: Context<Env>) => c.req.method === "GET" && links.allows(c.req.url);
  app.onError((error) => errorResponse(error, onFailure));
  app.notFound((c) => errorResponse(new ApiError(404, `there is nothing at ${c.req.path.slice(0, 100)}`), onFailure));
  app.use("*", async (c, next) => {
    if (apiKey === null) requireLoopbackHost(c.req.header("host"));
    else if (c.req.path !== "/api/v1/healthz" && !isLinked(c)) requireKey(keyOf(c), apiKey);
    await next();
  });

  app.get("/api/v1/healthz", (c) => c.json({ status: "ok", ...service.load }));
  app.get("/api/v1/get_server_capabilities", (c) => {
    const { name, engine } = service.model;
    const model = { model_name: name, max_context_length: engine.contextLength, trainable: true, sampleable: true };
    return c.json({ supported_models: [model] });
  });
  app.post("/api/v1/client/config", (c) =>
    c.json({
      pjwt_auth_enabled: false,
      proto_compress_fwdbwd: false,
      sample_join_sampling_session: true,
      fwdbwd_max_chunk_bytes_count: Math.floor(Math.min(5e6, maxBodyBytes * PART_OF_BODY)),
      sample_max_concurrent_requests: service.limits.maxPending,
    }),
  );
  app.post("/api/v1/client/dynamic_config", (c) => c.json({ sample_cancel_enabled: true }));
  // What the SDK reports of itself is not kept.
  app.post("/api/v1/telemetry", (c) => c.json({ status: "accepted" }));
  app.get("/api/v1/samplers/:id", (c) => c.json(service.sampler(c.req.param("id"))));
  app.route("/api/v1", refusals());
  app.route("/api/v1", sessionRoutes(service));
  app.route(
    "/api/v1",
    checkpointRoutes(service.checkpoints, () => service.runs),
  );
  app.route("/api/v1", downloadRoutes(service.checkpoints, links));

  app.post("/api/v1/forward_backward", async (c) => {
    const type = c.req.header("content-type") ?? "";
    if (!type.startsWith(PROTOBUF)) throw new ApiError(415, `the body must be ${PROTOBUF}`);
    const bytes = await readBytes(c.env.incoming, maxBodyBytes, gone(c));
    try {
      return c.json(service.forwardBackward(decodeForwardBackwardRequest(bytes)));
    } catch (error) {
      const turn = error instanceof UserError ? decodeForwardBackwardTurn(bytes) : null;
      if (turn === null) throw error;
      return c.json(service.refuse(turn.modelId, turn.seqId, messageOf(error)));
    }
  });
  app.post("/api/v1/retrieve_future", async (c) => {
    const { request_id } = requests.retrieveFuture.parse(await readJsonBody(c.env.incoming, maxBodyBytes, gone(c)));
    const result = await service.retrieve(request_id, WAIT_MS, gone(c));
    if (result === null) return c.json({ type: "try_again", request_id, queue_state: "active" }, 408);
    if ("json" in result) return c.json(result.json);
    return c.body(new Uint8Array(result.bytes), 200, { "content-type": PROTOBUF });
  });
  app.post("/api/v1/cancel_future", async (c) => {
    const { request_id } = requests.retrieveFuture.parse(await readJsonBody(c.env.incoming, maxBodyBytes, gone(c)));
    service.futures.cancel(request_id);
    return c.body(null, 204);
  });
  for (const [name, answer] of Object.entries(endpoints)) {
    app.post(`/api/v1/${name}`, async (c) => {
      return c.json(await answer(service, await readJsonBody(c.env.incoming, maxBodyBytes, gone(c))));
    });
  }
  return app;
}

/** SDKs send the key as x-api-key. */
function keyOf(c: Context<Env>): string | undefined {
  const key = c.req.header("x-api-key");
  return key === undefined ? c.req.header("authorization") : `Bearer ${key}`;
}

/** Aborted when the client closes the connection. */
function gone(c: Context<Env>): AbortSignal {
  const controller = new AbortController();
  c.env.outgoing.on("close", () => controller.abort());
  return controller.signal;
}

function errorResponse(error: unknown, onFailure: TinkerAppOptions["onFailure"]): Response {
  const { status, headers, message } = apiError(error, onFailure);
  const body = { detail: message, error: message, category: status < 500 ? "user" : "server" };
  return Response.json(body, { status, headers });
}

function apiError(error: unknown, onFailure: TinkerAppOptions["onFailure"]): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof UserError) return new ApiError(400, messageOf(error));
  onFailure(error);
  return new ApiError(500, "the server failed to answer; its log says why");
}
