/** Checkpoints over HTTP: lists, removal, and archives to download. */
import { type Context, Hono } from "hono";
import { ApiError } from "../api-error.ts";
import { type Checkpoint, type Checkpoints, checkpointKinds, sizeOfCheckpoint } from "./checkpoints.ts";

const LINK_MINUTES = 15;
/** Of the SDK's lists. */
const TYPES = { weights: "training", sampler_weights: "sampler" } as const;

export function checkpointRoutes(checkpoints: Checkpoints, archiveOf: (of: Checkpoint) => Uint8Array): Hono {
  const routes = new Hono();
  const found = (c: Context): Checkpoint => {
    const { model, kind, name } = c.req.param() as Record<string, string>;
    try {
      return checkpoints.find(`tinker://${model}/${kind}/${name}`);
    } catch (cause) {
      throw new ApiError(404, (cause as Error).message, { cause });
    }
  };
  const list = (modelId: string | null) => ({ checkpoints: checkpoints.list(modelId).map(cardOf), cursor: null });

  routes.get("/checkpoints", (c) => c.json(list(null)));
  routes.get("/training_runs", (c) => {
    const runs = [...new Set(checkpoints.list().map(({ record }) => record.model_id))].map((id) =>
      runOf(checkpoints, id),
    );
    return c.json({ training_runs: runs, cursor: { offset: 0, limit: runs.length, total_count: runs.length } });
  });
  routes.get("/training_runs/:model", (c) => c.json(runOf(checkpoints, c.req.param("model"))));
  routes.get("/training_runs/:model/checkpoints", (c) => c.json(list(c.req.param("model"))));
  const one = `/training_runs/:model/checkpoints/:kind{${checkpointKinds.join("|")}}/:name`;
  routes.delete(one, (c) => {
    checkpoints.remove(found(c));
    return c.body(null, 204);
  });
  routes.get(`${one}/archive`, (c) => {
    found(c);
    const expires = new Date(Date.now() + LINK_MINUTES * 60_000);
    return c.json({ url: c.req.url.replace(/\/archive(\?.*)?$/, "/archive.tar"), expires: expires.toISOString() });
  });
  routes.get(`${one}/archive.tar`, (c) => {
    return c.body(new Uint8Array(archiveOf(found(c))), 200, { "content-type": "application/x-tar" });
  });
  return routes;
}

function cardOf(checkpoint: Checkpoint) {
  const { path, record } = checkpoint;
  return {
    checkpoint_id: `${record.kind}/${record.name}`,
    checkpoint_type: TYPES[record.kind],
    time: record.created,
    tinker_path: path,
    size_bytes: sizeOfCheckpoint(checkpoint),
    public: false,
    user_metadata: record.user_metadata,
    expires_at: record.expires_at,
  };
}

/** A model is known by its checkpoints. Throws ApiError (404) for one without any. */
function runOf(checkpoints: Checkpoints, modelId: string) {
  const all = checkpoints.list(modelId);
  const last = all.at(-1);
  if (last === undefined) throw new ApiError(404, `no checkpoint of ${modelId.slice(0, 100)} is saved here`);
  const newest = (kind: string) => all.filter(({ record }) => record.kind === kind).at(-1);
  const [trained, sampled] = [newest("weights"), newest("sampler_weights")];
  return {
    training_run_id: modelId,
    base_model: last.record.base_model,
    model_owner: "viva",
    is_lora: true,
    lora_rank: last.record.lora_config.rank,
    last_request_time: last.record.created,
    last_checkpoint: trained === undefined ? null : cardOf(trained),
    last_sampler_checkpoint: sampled === undefined ? null : cardOf(sampled),
  };
}
