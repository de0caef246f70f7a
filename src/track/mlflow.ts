/**
 * MLflow: a run of an experiment on a tracking server, through its REST API (https://mlflow.org/docs/latest/api_reference/rest-api.html).
 * Runs are found again by a tag. A metric that is sent twice with the same step, time and value is kept once by the server.
 */
import { RunError } from "../core/errors.ts";
import { send, type TrackerAnswer } from "./http.ts";
import type { News, Sample, TrackedRun, Tracker, TrackerState } from "./tracker.ts";

/** Limits of the API. */
const metricsAtOnce = 1000;
const parametersAtOnce = 100;
const longestParameter = 6000;

export const mlflow: Tracker = {
  place: "address",
  async deliver(news, at, state) {
    const { run } = news;
    const experiment = state?.["experiment_id"] ?? (await experimentOf(at, run.project));
    const found =
      state ?? (await findRun(at, String(experiment), run)) ?? (await createRun(at, String(experiment), run));
    const runId = String(found["run_id"]);
    if (state === null) await logConfig(at, runId, run);
    for (const metrics of chunks(metricsOf(news), metricsAtOnce)) {
      await call(at, "runs/log-batch", { run_id: runId, metrics });
    }
    for (const sample of news.samples) await uploadSample(at, String(found["artifacts"]), sample);
    const ending = news.ended ? { status: "FINISHED", end_time: Math.round(news.time) } : { status: "RUNNING" };
    await call(at, "runs/update", { run_id: runId, ...ending });
    return { ...found, experiment_id: experiment };
  },
};

/** MLflow's own variables. */
function authorization(): Readonly<Record<string, string>> {
  const { MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD = "" } = process.env;
  if (MLFLOW_TRACKING_USERNAME) {
    const pair = Buffer.from(`${MLFLOW_TRACKING_USERNAME}:${MLFLOW_TRACKING_PASSWORD}`).toString("base64");
    return { authorization: `Basic ${pair}` };
  }
  return MLFLOW_TRACKING_TOKEN ? { authorization: `Bearer ${MLFLOW_TRACKING_TOKEN}` } : {};
}

function call(at: string, what: string, json: object): Promise<TrackerAnswer> {
  return send(`${at}/api/2.0/mlflow/${what}`, { json, headers: authorization() });
}

async function experimentOf(at: string, name: string): Promise<string> {
  const query = new URLSearchParams({ experiment_name: name });
  const headers = authorization();
  const url = `${at}/api/2.0/mlflow/experiments/get-by-name?${query}`;
  const { status, json } = await send(url, { method: "GET", headers, accepted: [404] });
  const known = (json?.["experiment"] as { readonly experiment_id?: string } | undefined)?.experiment_id;
  if (status !== 404 && known !== undefined) return known;
  const made = await call(at, "experiments/create", { name });
  const id = made.json?.["experiment_id"];
  if (typeof id !== "string") throw notMlflow(at);
  return id;
}

interface Info {
  readonly run_id: string;
  readonly artifact_uri: string;
}

async function findRun(at: string, experiment: string, { id }: TrackedRun): Promise<TrackerState | null> {
  const filter = `tags.\`viva.run\` = '${id}'`;
  const { json } = await call(at, "runs/search", { experiment_ids: [experiment], filter, max_results: 1 });
  const found = (json?.["runs"] as readonly { readonly info: Info }[] | undefined)?.[0];
  return found === undefined ? null : stateOf(found.info);
}

async function createRun(at: string, experiment: string, run: TrackedRun): Promise<TrackerState> {
  const { json } = await call(at, "runs/create", {
    experiment_id: experiment,
    run_name: run.name,
    start_time: run.created,
    tags: [
      { key: "viva.run", value: run.id },
      { key: "mlflow.source.name", value: "viva" },
    ],
  });
  const info = (json?.["run"] as { readonly info?: Info } | undefined)?.info;
  if (info === undefined) throw notMlflow(at);
  return stateOf(info);
}

/** A parameter may be sent again with the same value. */
async function logConfig(at: string, runId: string, { config }: TrackedRun): Promise<void> {
  const params = flattened(config).map(([key, value]) => ({ key, value: value.slice(0, longestParameter) }));
  for (const some of chunks(params, parametersAtOnce)) {
    await call(at, "runs/log-batch", { run_id: runId, params: some });
  }
}

function stateOf({ run_id, artifact_uri }: Info): TrackerState {
  return { run_id, artifacts: artifact_uri };
}

function metricsOf({ scalars }: News): readonly object[] {
  return scalars.flatMap(({ step, time, values }) =>
    Object.entries(values).map(([key, value]) => ({ key, value, step, timestamp: Math.round(time) })),
  );
}

/** Through the server, where it passes artifacts on; one that has them stored directly elsewhere gets none. */
async function uploadSample(at: string, artifacts: string, { step, markdown, images }: Sample): Promise<void> {
  const path = /^mlflow-artifacts:\/+(.*)$/.exec(artifacts)?.[1];
  if (path === undefined) return;
  const put = (name: string, body: Uint8Array) => {
    const url = `${at}/api/2.0/mlflow-artifacts/artifacts/${path}/rollouts/${name}`;
    return send(url, { method: "PUT", body, headers: authorization() });
  };
  const name = `step-${String(step).padStart(6, "0")}`;
  await put(`${name}.md`, Buffer.from(markdown));
  for (const [i, { png }] of images.entries()) await put(`${name}-${i}.png`, png);
}

/** "stages.0.learning_rate": "0.03". */
function flattened(value: unknown, path = ""): readonly (readonly [string, string])[] {
  if (typeof value !== "object" || value === null) return path === "" ? [] : [[path, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flattened(inner, path === "" ? key : `${path}.${key}`));
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

function notMlflow(at: string): RunError {
  return new RunError(`${at} does not answer as an MLflow tracking server does`);
}
