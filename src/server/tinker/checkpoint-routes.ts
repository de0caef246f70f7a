/** Checkpoints over HTTP: lists, ends and removal. */
import { type Context, Hono } from "hono";
import { requests } from "../../tinker/index.ts";
import { ApiError } from "../api-error.ts";
import type { Env } from "../base-app.ts";
import { readJsonBody } from "../read-body.ts";
import { type Checkpoint, type Checkpoints, checkpointKinds, sizeOfCheckpoint } from "./checkpoints.ts";
import { pageOf } from "./page.ts";

const MAX_BODY_BYTES = 10_000;
/** Of the SDK's lists. */
const TYPES = { weights: "training", sampler_weights: "sampler", external_weights: "external" } as const;

/** The address of one. */
export const ONE = `/training_runs/:model/checkpoints/:kind{${checkpointKinds.join("|")}}/:name`;

/** That of an address. Throws ApiError (404). */
export function checkpointAt(checkpoints: Checkpoints, c: Context): Checkpoint {
  const { model, kind, name } = c.req.param() as Record<string, string>;
  try {
    return checkpoints.find(`tinker://${model}/${kind}/${name}`);
  } catch (cause) {
    throw new ApiError(404, (cause as Error).message, { cause });
  }
}

export function checkpointRoutes(checkpoints: Checkpoints): Hono<Env> {
  const routes = new Hono<Env>();
  routes.get("/checkpoints", (c) => {
    const { items, cursor } = pageOf(checkpoints.list().toReversed(), c.req.query());
    return c.json({ checkpoints: items.map(cardOf), cursor });
  });
  routes.get("/training_runs", (c) => {
    const newest = new Set(
      checkpoints
        .list()
        .toReversed()
        .map(({ record }) => record.model_id),
    );
    const { items, cursor } = pageOf([...newest], c.req.query());
    return c.json({ training_runs: items.map((id) => runOf(checkpoints, id)), cursor });
  });
  routes.get("/training_runs/:model", (c) => c.json(runOf(checkpoints, c.req.param("model"))));
  routes.get("/training_runs/:model/checkpoints", (c) => {
    return c.json({ checkpoints: checkpoints.list(c.req.param("model")).map(cardOf), cursor: null });
  });
  routes.delete(ONE, (c) => {
    checkpoints.remove(checkpointAt(checkpoints, c));
    return c.body(null, 204);
  });
  routes.put(`${ONE}/ttl`, async (c) => {
    const parsed = requests.setTtl.safeParse(await readJsonBody(c.env.incoming, MAX_BODY_BYTES, c.req.raw.signal));
    if (!parsed.success) throw new ApiError(400, "ttl_seconds: give a whole number of at least 1, or null");
    checkpoints.setEnd(checkpointAt(checkpoints, c), parsed.data.ttl_seconds);
    return c.body(null, 204);
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
