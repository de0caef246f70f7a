/** Checkpoints to download: addresses that need no key for a while, and what lies there. */
import { Hono } from "hono";
import { ApiError } from "../api-error.ts";
import type { Env } from "../base-app.ts";
import { archiveOf, fileOf, filesOf } from "./archive.ts";
import { checkpointAt, ONE } from "./checkpoint-routes.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { Links } from "./links.ts";

export function downloadRoutes(checkpoints: Checkpoints, links: Links): Hono<Env> {
  const routes = new Hono<Env>();
  /** Beside the address that was asked for. */
  const beside = (url: string, path: string) => links.sign(new URL(path, url).href);

  routes.get(`${ONE}/archive`, (c) => {
    checkpointAt(checkpoints, c);
    return c.json(beside(c.req.url, "archive.tar"));
  });
  routes.get(`${ONE}/archive.tar`, (c) => {
    const archive = archiveOf(checkpointAt(checkpoints, c));
    return c.body(new Uint8Array(archive), 200, { "content-type": "application/x-tar" });
  });
  routes.get(`${ONE}/external_weights_urls`, (c) => {
    const files = filesOf(checkpointAt(checkpoints, c)).map((name) => {
      return [name, beside(c.req.url, `files/${name}`)] as const;
    });
    const urls = Object.fromEntries(files.map(([name, { url }]) => [name, url]));
    return c.json({ urls, expires: files[0]?.[1].expires });
  });
  routes.get(`${ONE}/files/:file`, (c) => {
    const bytes = fileOf(checkpointAt(checkpoints, c), c.req.param("file"));
    if (bytes === null) throw new ApiError(404, "the checkpoint has no such file");
    return c.body(new Uint8Array(bytes), 200, { "content-type": "application/octet-stream" });
  });
  return routes;
}
