/** What the SDKs can ask of hosted Tinker and this server does not have: refused by name, at once. */
import { Hono } from "hono";
import { ApiError } from "../api-error.ts";

const ofCheckpoint = "/training_runs/:model/checkpoints/:kind/:name";
const refused: Readonly<Record<string, string>> = {
  [`${ofCheckpoint}/publish`]: "publishing: all clients of this server see all checkpoints",
  [`${ofCheckpoint}/external_weights_urls`]: "external weights: download an archive, or take the folder below --store",
  "/save_weights_external":
    "save_weights_external: save_weights_for_sampler writes an adapter in PEFT's layout below --store",
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
