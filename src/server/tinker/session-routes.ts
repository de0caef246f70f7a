/** Sessions over HTTP: lists, what one has, and its end. */
import { Hono } from "hono";
import type { Env } from "../base-app.ts";
import { pageOf } from "./page.ts";
import type { TinkerService } from "./service.ts";

export function sessionRoutes(service: TinkerService): Hono<Env> {
  const routes = new Hono<Env>();
  routes.get("/sessions", (c) => c.json({ sessions: pageOf([...service.sessionIds].reverse(), c.req.query()).items }));
  routes.get("/sessions/:id", (c) => c.json(service.session(c.req.param("id"))));
  routes.post("/sessions/:id/finish", (c) => {
    service.finish(c.req.param("id"));
    return c.body(null, 204);
  });
  return routes;
}
