/** Starts and stops the server of the pages. */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { listen } from "../server/listen.ts";
import { createUiApp, type UiOptions } from "./app.ts";
import type { Pages } from "./pages.ts";

export interface UiServer {
  /** Where to open the page, with its token where one is needed. */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws UserError for an address that cannot be taken. */
export async function startUi(
  o: UiOptions & { readonly host: string; readonly port: number; readonly pages: Pages },
): Promise<UiServer> {
  const app = createUiApp(o).get("/*", (c) => {
    const path = c.req.path.slice(1);
    if (path.startsWith("api/")) return c.json({ error: "there is nothing here" }, 404);
    const file = o.pages.get(path) ?? (path.startsWith("assets/") ? null : o.pages.get("index.html"));
    return file === undefined || file === null
      ? c.text("there is nothing here", 404)
      : c.body(file.bytes, 200, { "content-type": file.type });
  });
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  const { port } = await listen(server, o.host, o.port);
  const { origin, token } = o.access;
  const host = o.host.includes(":") ? `[${o.host.replace(/^\[|\]$/g, "")}]` : o.host;
  const url = `${origin ?? `http://${host}:${port}`}/${token === null ? "" : `#token=${token}`}`;
  return {
    url,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await o.play?.close();
    },
  };
}
