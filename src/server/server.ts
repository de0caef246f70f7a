/** Starts and stops the server: it answers on one address until it is closed, and then lets running requests end. */
import { type AppOptions, createApp } from "./app.ts";
import { listenOn } from "./listen.ts";
import { type Load, type PoolLimits, RequestPool } from "./request-pool.ts";

export interface ServeOptions extends Omit<AppOptions, "pool" | "limits"> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly limits: AppOptions["limits"] & PoolLimits;
}

export interface RunningServer {
  /** Where the OpenAI API begins, e.g. http://127.0.0.1:8000/v1 . */
  readonly baseUrl: string;
  readonly load: Load;
  /** Takes no new requests; running ones have so many seconds before they are cut off. */
  close(graceSeconds: number): Promise<void>;
}

/** Throws UserError for an address that cannot be taken, and for one that others can reach when there is no key. */
export async function startServer(o: ServeOptions): Promise<RunningServer> {
  const pool = new RequestPool(o.limits);
  const app = createApp({ ...o, pool });
  const listening = await listenOn(app.fetch, o);
  return {
    baseUrl: `${listening.origin}/v1`,
    get load() {
      return pool.load;
    },
    close: (graceSeconds) => listening.close(() => pool.close(graceSeconds)),
  };
}
