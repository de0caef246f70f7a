/** Starts and stops the server: it answers on one address until it is closed, and then lets running requests end. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { messageOf, UserError } from "../core/errors.ts";
import { isLoopback } from "./access.ts";
import { type AppOptions, createApp } from "./app.ts";
import type { Env } from "./base-app.ts";
import { type Load, type PoolLimits, RequestPool } from "./request-pool.ts";

/** Where a server listens, and the key that it asks for. */
export interface Address {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Null lets everybody in who reaches the server. */
  readonly apiKey: string | null;
}

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

/** An idle connection stays open longer than clients keep theirs, so that none is closed while it is taken up again. */
const KEEP_ALIVE_SECONDS = 75;
/** For a request's headers and body to arrive. */
const ARRIVAL_SECONDS = 120;

/** Throws UserError for an address that cannot be taken, and for one that others can reach when there is no key. */
export async function startServer(o: ServeOptions): Promise<RunningServer> {
  const pool = new RequestPool(o.limits);
  return listenWith(createApp({ ...o, pool }), pool, o);
}

/** Answers with an app on an address. Throws UserError for one that cannot be taken, or that others can reach without a key. */
export async function listenWith(app: Hono<Env>, pool: RequestPool, o: Address): Promise<RunningServer> {
  if (o.apiKey === null && !isLoopback(o.host)) {
    throw new UserError(
      `--host ${o.host}: others can reach this address, so an API key is needed: name a file with --api-key-file, or set VIVA_API_KEY`,
    );
  }
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  server.requestTimeout = ARRIVAL_SECONDS * 1000;
  server.keepAliveTimeout = KEEP_ALIVE_SECONDS * 1000;
  const { port } = await listen(server, o.host, o.port);
  const host = o.host.includes(":") ? `[${o.host.replace(/^\[|\]$/g, "")}]` : o.host;
  const origin = `http://${host}:${port}`;
  return {
    origin,
    baseUrl: `${origin}/v1`,
    get load() {
      return pool.load;
    },
    async close(graceSeconds) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await pool.close(graceSeconds);
      // What was answered last is still on its way to slow readers.
      const timer = setTimeout(() => server.closeAllConnections(), 1000);
      server.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new UserError(`cannot listen on ${host}:${port}: ${messageOf(error)}`)));
    server.listen(port, host.replace(/^\[|\]$/g, ""), () => resolve(server.address() as AddressInfo));
  });
}
