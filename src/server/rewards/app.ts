/** Rewards over HTTP: every way of asking for them is an entry of the table; all share their limits and their errors. */
import type { Context, Hono } from "hono";
import { RunError, UserError } from "../../core/errors.ts";
import { imageSize } from "../../io/images.ts";
import { ApiError, badRequest, clientGone } from "../api-error.ts";
import { type Env, openApp, refuseOtherMethods } from "../base-app.ts";
import { readJsonBody } from "../read-body.ts";
import type { PoolRequest, RequestPool } from "../request-pool.ts";
import { aggregate } from "./aggregate.ts";
import type { Asked, AskedRow, RewardDialect, Scored } from "./dialect.ts";
import { nemoGym } from "./nemo-gym.ts";
import { openrlhf } from "./openrlhf.ts";
import { score } from "./score.ts";

/** The ways in which a trainer can ask: a new one is a file and an entry here. */
const dialects: readonly RewardDialect[] = [score, openrlhf, nemoGym];

const RETRY_AFTER_SECONDS = "2";

export interface RewardAppOptions {
  readonly rewards: {
    readonly about: Readonly<Record<string, unknown>>;
    /** Throws UserError for rows that cannot be scored, RunError where a reward failed. */
    score(rows: readonly AskedRow[], step: number | null): Promise<Scored>;
  };
  readonly limits: {
    readonly maxBodyBytes: number;
    /** Requests that are scored at one time, those included whose client has left. */
    readonly maxPending: number;
    /** Of one request. */
    readonly maxRows: number;
    /** Of one image. */
    readonly maxImagePixels: number;
  };
  readonly pool: RequestPool;
  readonly apiKey: string | null;
  /** Told of failures that are not the client's. */
  readonly onFailure: (error: unknown) => void;
}

export function createRewardApp(o: RewardAppOptions): Hono<Env> {
  const { pool, rewards } = o;
  let scoring = 0;
  const scored = async ({ rows, step }: Asked): Promise<Scored> => {
    if (scoring >= o.limits.maxPending) {
      const message = `${scoring} requests are being scored, no more are taken: try again later`;
      throw new ApiError(429, message, { code: "queue_full", headers: { "retry-after": RETRY_AFTER_SECONDS } });
    }
    scoring++;
    try {
      return await rewards.score(rows, step);
    } finally {
      scoring--;
    }
  };
  const app = openApp(o.apiKey, (error) => apiError(error, o));
  app.get("/health", (c) => c.json({ status: pool.closed ? "stopping" : "ok", queue: pool.load.queue }));
  app.get("/rewards", (c) => c.json(rewards.about));
  for (const dialect of dialects) {
    app.post(dialect.path, (c) =>
      answered(c, o, async (body, request) => {
        const asked = dialect.read(body);
        await requireLimits(asked, o);
        return dialect.answer(body, await untilAborted(scored(asked), request));
      }),
    );
  }
  app.post("/seed_session", (c) => answered(c, o, async () => ({})));
  app.post("/aggregate_metrics", (c) => answered(c, o, async (body) => aggregate(body)));
  refuseOtherMethods(app, [
    ["/health", "GET"],
    ["/rewards", "GET"],
    ...[...dialects.map(({ path }) => path), "/seed_session", "/aggregate_metrics"].map(
      (path) => [path, "POST"] as const,
    ),
  ]);
  return app;
}

async function answered(
  c: Context<Env>,
  { pool, limits }: RewardAppOptions,
  work: (body: unknown, request: PoolRequest) => Promise<object>,
): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const request = pool.enter();
  outgoing.on("close", () => {
    if (!outgoing.writableFinished) request.abort(clientGone());
  });
  try {
    return c.json(await work(await readJsonBody(incoming, limits.maxBodyBytes, request.signal), request));
  } finally {
    request.leave();
  }
}

async function requireLimits({ rows }: Asked, { limits }: RewardAppOptions): Promise<void> {
  if (rows.length === 0) throw badRequest("rows", "there is no completion to score");
  if (rows.length > limits.maxRows) {
    throw badRequest(
      "rows",
      `${rows.length} completions in one request, at most ${limits.maxRows} are taken (--max-rows)`,
    );
  }
  for (const { path, ...image } of rows.flatMap(({ images }) => images)) {
    const { width, height } = await imageSize({ path, ...image });
    if (width * height <= limits.maxImagePixels) continue;
    throw badRequest(path, `${path} has ${width} x ${height} pixels, at most ${limits.maxImagePixels} are taken`);
  }
}

/** The scores, or the reason why nobody wants them any more. A judge that was asked may still answer: it is not heard. */
function untilAborted<T>(scoring: Promise<T>, { signal }: PoolRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    scoring.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    if (signal.aborted) onAbort();
  });
}

/** What clients are told: what is wrong with their rows, and which reward failed and why. */
function apiError(error: unknown, { onFailure }: RewardAppOptions): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof UserError) return new ApiError(400, error.message, { code: "invalid_row", cause: error });
  onFailure(error);
  if (error instanceof RunError) return new ApiError(502, error.message, { code: "reward_failed", cause: error });
  return new ApiError(500, "the server failed to answer; its log says why", { code: "internal_error" });
}
