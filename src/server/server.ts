/** Starts and stops the server: it answers on one address until it is closed, and then lets running requests end. */
import type { Hono } from "hono";
import { type AppOptions, createApp } from "./app.ts";
import type { Env } from "./base-app.ts";
import { type Address, listenOn, requireKeyBeyondLoopback } from "./listen.ts";
import { type Load, type PoolLimits, RequestPool } from "./request-pool.ts";

export interface ServeOptions extends Omit<AppOptions, "pool" | "limits">, Address {
  readonly limits: AppOptions["limits"] & PoolLimits;
}

export interface RunningServer {
  /** Where it listens, e.g. http://127.0.0.1:8000 . */
  readonly origin: string;
  /** Where the OpenAI API begins, e.g. http://127.0.0.1:8000/v1 . */
  readonly baseUrl: string;
  readonly load: Load;
  /** Takes no new requests; running ones have so many seconds before they are cut off. */
  close(graceSeconds: number): Promise<void>;
}

/** Throws UserError for an address that cannot be taken, and for one that others can reach when there is no key. */
export async function startServer(o: ServeOptions): Promise<RunningServer> {
  requireKeyBeyondLoopback(o);
  const pool = new RequestPool(o.limits);
  return listenWith(createApp({ ...o, pool }), pool, o);
}

/** Answers with an app on an address. Throws UserError for one that cannot be taken, or that others can reach without a key. */
export async function listenWith(app: Hono<Env>, pool: RequestPool, o: Address): Promise<RunningServer> {
  requireKeyBeyondLoopback(o); // before anything is asked of the app
  const { origin, close } = await listenOn(app.fetch, o);
  return {
    origin,
    baseUrl: `${origin}/v1`,
    get load() {
      return pool.load;
    },
    close: (graceSeconds) => close(() => pool.close(graceSeconds)),
  };
}
