/** What every server of viva's does with a request before its routes: who may ask, and errors in the OpenAI API's form. */
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { requireKey, requireLoopbackHost } from "./access.ts";
import { ApiError } from "./api-error.ts";

export type Env = { readonly Bindings: HttpBindings };

/** An app without routes. Null for the key lets everybody in who reaches the server; `toApiError` takes what routes throw. */
export function openApp(apiKey: string | null, toApiError: (error: unknown) => ApiError): Hono<Env> {
  const app = new Hono<Env>();
  /** An address without /v1, or with a slash at its end, is what clients are most often set up with. */
  const advice = (path: string) => {
    const own = path.replace(/\/+$/, "");
    const near = [own, `/v1${own}`].find((other) => app.routes.some((route) => route.path === other));
    return near === undefined ? "" : `; did you mean ${near}?`;
  };
  const answer = (error: unknown) => {
    const { status, headers, body } = toApiError(error);
    return Response.json(body, { status, headers });
  };
  app.onError(answer);
  app.notFound((c) =>
    answer(
      new ApiError(404, `there is nothing at ${c.req.path.slice(0, 100)}${advice(c.req.path)}`, { code: "not_found" }),
    ),
  );
  app.use("*", async (c, next) => {
    if (apiKey === null) requireLoopbackHost(c.req.header("host"));
    else if (c.req.path !== "/health") requireKey(c.req.header("authorization"), apiKey);
    await next();
  });
  return app;
}

/** Answers 405 to other methods at these paths; to be called after their routes. */
export function refuseOtherMethods(app: Hono<Env>, routes: readonly (readonly [path: string, method: string])[]): void {
  for (const [path, method] of routes) {
    app.all(path, (c) => {
      const message = `${c.req.method} is not for ${path}, ${method} is`;
      throw new ApiError(405, message, { code: "method_not_allowed", headers: { allow: method } });
    });
  }
}
