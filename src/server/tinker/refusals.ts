/** What the SDKs can ask of hosted Tinker and this server does not have: refused by name, at once. */
import { Hono } from "hono";
import { ApiError } from "../api-error.ts";

const refused: Readonly<Record<string, string>> = {
  "/training_runs/:model/checkpoints/:kind/:name/publish": "publishing: all clients of this server see all checkpoints",
  "/copy_weights": "copy_weights: there are no projects",
  "/sessions/search": "searching for sessions: list them",
  "/sessions/:id/project": "projects",
  "/sessions/:id/trace_export": "exporting a trace",
};

export function refusals(): Hono {
  const routes = new Hono();
  for (const [path, what] of Object.entries(refused)) {
    routes.all(path, () => {
      throw new ApiError(400, `this server does not support ${what}`, { code: "unsupported" });
    });
  }
  return routes;
}
