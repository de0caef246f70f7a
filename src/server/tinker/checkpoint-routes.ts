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

/** A model that is in training. */
export interface LiveRun {
  readonly id: string;
  /** A time in ISO 8601. */
  readonly made: string;
  readonly base_model: string;
  readonly lora_rank: number;
  readonly metadata: Readonly<Record<string, unknown>> | null | undefined;
}

export function checkpointRoutes(checkpoints: Checkpoints, live: () => readonly LiveRun[]): Hono<Env> {
  const routes = new Hono<Env>();
  routes.get("/checkpoints", (c) => {
    const { items, cursor } = pageOf(checkpoints.list().toReversed(), c.req.query());
    return c.json({ checkpoints: items.map(cardOf), cursor });
  });
  routes.get("/training_runs", (c) => {
    const { items, cursor } = pageOf(runsOf(checkpoints, live()), c.req.query());
    return c.json({ training_runs: items, cursor });
  });
  routes.get("/training_runs/:model", (c) => {
    const id = c.req.param("model");
    const run = runsOf(checkpoints, live()).find((one) => one.training_run_id === id);
    if (run === undefined) throw new ApiError(404, `there is no training run ${id.slice(0, 100)}`);
    return c.json(run);
  });
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

/** Models in training and those with checkpoints, the newest first. */
function runsOf(checkpoints: Checkpoints, live: readonly LiveRun[]) {
  const saved = new Map<string, Checkpoint[]>();
  for (const one of checkpoints.list()) {
    const { model_id } = one.record;
    saved.set(model_id, [...(saved.get(model_id) ?? []), one]);
  }
  const known = [...saved].map(([id, all]) => {
    const { base_model, lora_config, created, run_metadata } = all.at(-1)!.record;
    const about = { id, made: created, base_model, lora_rank: lora_config.rank, metadata: run_metadata };
    return runOf(about, all);
  });
  const fresh = live.filter(({ id }) => !saved.has(id)).map((run) => runOf(run, []));
  return [...known, ...fresh].sort((a, b) => (a.last_request_time > b.last_request_time ? -1 : 1));
}

function runOf({ id, made, base_model, lora_rank, metadata }: LiveRun, all: readonly Checkpoint[]) {
  const newest = (kind: string) => {
    const last = all.filter(({ record }) => record.kind === kind).at(-1);
    return last === undefined ? null : cardOf(last);
  };
  return {
    training_run_id: id,
    base_model,
    model_owner: "viva",
    is_lora: true,
    lora_rank,
    last_request_time: made,
    last_checkpoint: newest("weights"),
    last_sampler_checkpoint: newest("sampler_weights"),
    user_metadata: metadata ?? null,
  };
}
