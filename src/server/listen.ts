/** Listens on one address: loopback, or one that others can reach if there is a key. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { messageOf, UserError } from "../core/errors.ts";
import { isLoopback } from "./access.ts";

/** Where a server listens, and the key that it asks for. */
export interface Address {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Null lets everybody in who reaches the server. */
  readonly apiKey: string | null;
}

export interface Listening {
  /** Such as http://127.0.0.1:8000 . */
  readonly origin: string;
  /** Takes no new connections, waits for `ending`, then cuts off what is left. */
  close(ending: () => Promise<void>): Promise<void>;
}

/** An idle connection stays open longer than clients keep theirs, so that none is closed while it is taken up again. */
const KEEP_ALIVE_SECONDS = 75;
/** For a request's headers and body to arrive. */
const ARRIVAL_SECONDS = 120;

/** Throws UserError for an address that others can reach when there is no key. */
export function requireKeyBeyondLoopback({ host, apiKey }: Pick<Address, "host" | "apiKey">): void {
  if (apiKey !== null || isLoopback(host)) return;
  throw new UserError(
    `--host ${host}: others can reach this address, so an API key is needed: name a file with --api-key-file, or set VIVA_API_KEY`,
  );
}

/** Throws UserError as `requireKeyBeyondLoopback`, and for an address that cannot be taken. */
export async function listenOn(
  fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>,
  o: Address,
): Promise<Listening> {
  requireKeyBeyondLoopback(o);
  const server = createAdaptorServer({
    fetch: fetch as Parameters<typeof createAdaptorServer>[0]["fetch"],
    overrideGlobalObjects: false,
  }) as Server;
  server.requestTimeout = ARRIVAL_SECONDS * 1000;
  server.keepAliveTimeout = KEEP_ALIVE_SECONDS * 1000;
  const { port } = await listen(server, o.host, o.port);
  const host = o.host.includes(":") ? `[${o.host.replace(/^\[|\]$/g, "")}]` : o.host;
  return {
    origin: `http://${host}:${port}`,
    async close(ending) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await ending();
      // What was answered last is still on its way to slow readers.
      const timer = setTimeout(() => server.closeAllConnections(), 1000);
      server.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** The address that was taken; a UserError says why it cannot be. */
export function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new UserError(`cannot listen on ${host}:${port}: ${whyNot(error)}`)));
    server.listen(port, host.replace(/^\[|\]$/g, ""), () => resolve(server.address() as AddressInfo));
  });
}

function whyNot(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "something listens there already; choose another with --port (0 takes a free one)";
    case "EACCES":
      return "permission denied; ports from 1024 on need none (--port)";
    case "EADDRNOTAVAIL":
      return "no address of this machine (--host)";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "there is no such host (--host)";
    default:
      return messageOf(error);
  }
}
