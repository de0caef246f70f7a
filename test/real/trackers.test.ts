/** Runs handed over to real trackers: what their own readers find is what the run recorded, each step once. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isTimingKey } from "../../src/runs/metrics.ts";
import { interrupted, jsonLines, start, temporaryFolder, viva, vivaOk } from "../cli/command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "../cli/tiny-run.ts";
import { describeWithPython, type Python } from "./python.ts";

const folder = temporaryFolder();
const writeToken = "a-token-of-the-tests";

beforeAll(async () => {
  process.env["TRACKIO_WRITE_TOKEN"] = writeToken;
  writeTinyModel(join(folder, "model"));
  await writeFilms(join(folder, "films"));
  writeRecipe(join(folder, "tiny.yaml"), tinyRecipe({ model: "model", data: "films" }));
  await vivaOk(folder, "train", "tiny.yaml", "--run", "whole", "--no-report");
});

/** Values by step of each number, as a tracker's reader prints them. */
type Curves = Readonly<Record<string, readonly (readonly [step: number, value: number])[]>>;

/** Trains with a tracker, killed twice, and resumes. */
async function trainKilled(run: string, track: object): Promise<void> {
  const rows = () => {
    const file = join(folder, run, "metrics.jsonl");
    return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
  };
  const set = `track=[${JSON.stringify(track)}]`;
  for (const count of [3, 7]) {
    const args = rows() > 0 ? ["--resume"] : ["tiny.yaml", "--set", set];
    await interrupted(folder, ["train", ...args, "--run", run], {
      signal: "SIGKILL",
      when: () => rows() >= count,
      delay: 50,
    });
  }
  await vivaOk(folder, "train", "--run", run, "--resume", "--no-report");
}

/** What a run's files say: metrics, and evaluations under the names that docs/trackers.md gives them. */
function recorded(run: string): Curves {
  const curves: Record<string, [number, number][]> = {};
  const put = (name: string, step: number, value: unknown) => {
    if (typeof value === "number") curves[name] = [...(curves[name] ?? []), [step, value]];
  };
  for (const { step, ...metrics } of jsonLines(folder, run, "metrics.jsonl")) {
    for (const [name, value] of Object.entries(metrics)) put(name, step, value);
  }
  for (const { kind, step, subsets } of jsonLines(folder, run, "evals.jsonl")) {
    const accuracy = kind === "summary" ? subsets.overall.accuracy : {};
    put("eval/overall/accuracy", step, accuracy.estimate);
    put("eval/overall/accuracy_low", step, accuracy.low);
    put("eval/overall/accuracy_high", step, accuracy.high);
  }
  return curves;
}

/** Every number of the run, each step once; clock readings of steps done twice are those of the first time. */
function expectRecorded(
  found: Curves,
  run: string,
  o: { readonly timed: boolean; readonly round?: (value: number) => number },
) {
  const { timed, round = (value) => value } = o;
  for (const [name, points] of Object.entries(recorded(run))) {
    const kept = (curve: Curves[string] = []) =>
      curve.map(([step, value]) => [step, timed || !isTimingKey(name) ? value : 0]);
    expect(kept(found[name]), name).toEqual(kept(points.map(([step, value]) => [step, round(value)])));
  }
  expect(Object.keys(found)).toContain("eval/overall/baseline/majority");
}

/** Runs a program that prints JSON. */
function read(python: string, code: string, ...args: readonly string[]) {
  return JSON.parse(
    execFileSync(python, ["-c", code, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }),
  );
}

/** Each leads a group of its own, with its workers. A hook that is made within another never runs, so this one ends all. */
const servers: ChildProcess[] = [];
afterAll(async () => {
  for (const server of servers) {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    if (server.exitCode !== null) continue;
    process.kill(-server.pid!, "SIGKILL");
    await ended;
  }
});

/** A server of a tracker on a free port of the loopback, ended after the tests. */
async function serveTracker(name: string, program: string, args: (port: number) => readonly string[], env: object) {
  const socket = createSocket().listen(0, "127.0.0.1");
  await new Promise((ready) => socket.once("listening", ready));
  const { port } = socket.address() as AddressInfo;
  await new Promise((closed) => socket.close(closed));
  const server: ChildProcess = spawn(program, args(port), {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: "ignore",
    detached: true,
  });
  servers.push(server);
  const at = `http://127.0.0.1:${port}`;
  while (server.exitCode === null) {
    const answer = await fetch(at).catch(() => null);
    if (answer !== null) return at;
    await wait(500);
  }
  throw new Error(`${name} ended with ${server.exitCode} before it answered`);
}

/** Every file that a run wrote as text, to look for secrets in. */
function textOf(run: string): string {
  const files = readdirSync(join(folder, run), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1")).join("");
}

await describeWithPython(
  "TensorBoard",
  { name: "tensorboard", requirements: ["tensorboard==2.21.0", "setuptools<81"] },
  ({ python }) => {
    const code = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "tensors": 0})
found.Reload()
tags = found.Tags()
print(json.dumps({
  "scalars": {tag: [[e.step, e.value] for e in found.Scalars(tag)] for tag in tags["scalars"]},
  "images": {tag: [[e.step, e.width, e.height] for e in found.Images(tag)] for tag in tags["images"]},
  "texts": {tag: [e.tensor_proto.string_val[0].decode() for e in found.Tensors(tag)] for tag in tags["tensors"]},
}))`;

    it("reads a killed run, and one that was handed over later with images", async () => {
      await trainKilled("tensorboard", { to: "tensorboard" });
      const killed = read(python, code, join(folder, "tensorboard/tensorboard"));
      expectRecorded(killed.scalars, "tensorboard", { timed: false, round: Math.fround });
      expect(killed.images).toEqual({});
      await vivaOk(folder, "track", "whole", "--to", "tensorboard", "--with-images");
      const whole = read(python, code, join(folder, "whole/tensorboard"));
      expectRecorded(whole.scalars, "whole", { timed: true, round: Math.fround });
      expect(whole.images).toEqual({ "rollouts/image_0": [[5, 56, 56]] });
      expect(whole.texts.recipe[0]).toContain("learning_rate: 0.003");
      expect(whole.texts["rollouts/sample"][0]).toMatch(/Is the film bright\?|Is it dark\?/);
    });
  },
);

/** MLflow's server without what only its models need. */
const mlflowNeeds = {
  name: "mlflow",
  requirements: [
    ...["mlflow-skinny==3.17.2", "mlflow-tracing==3.17.2", "Flask==3.1.3", "Flask-CORS==6.0.5", "SQLAlchemy==2.1.9"],
    ...["alembic==1.20.1", "graphene==3.4.3", "gunicorn==26.2.0", "aiohttp==3.14.5", "numpy==2.4.6", "pandas==3.1.1"],
  ],
  withoutDependencies: ["mlflow==3.17.2"],
};

await describeWithPython("MLflow", mlflowNeeds, ({ python, bin }: Python) => {
  const code = `
import json, sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name(sys.argv[2])
runs = client.search_runs([experiment.experiment_id])
assert len(runs) == 1, runs
run = runs[0]
print(json.dumps({
  "scalars": {key: sorted([m.step, m.value] for m in client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics},
  "params": run.data.params,
  "status": run.info.status,
  "artifacts": [item.path for item in client.list_artifacts(run.info.run_id, "rollouts")],
}))`;
  let at: string;
  beforeAll(async () => {
    mkdirSync(join(folder, "mlflow-server"));
    const store = [
      "--backend-store-uri",
      "sqlite:///mlflow-server/db",
      "--artifacts-destination",
      "mlflow-server/artifacts",
    ];
    const args = (port: number) => [
      "server",
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--workers",
      "1",
      ...store,
    ];
    at = await serveTracker("mlflow", bin("mlflow"), args, {
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
    });
  });

  it("has a killed run, and one that was followed", async () => {
    await trainKilled("mlflow", { to: "mlflow", at, project: "killed" });
    const killed = read(python, code, at, "killed");
    expectRecorded(killed.scalars, "mlflow", { timed: false });
    expect(killed.status).toBe("FINISHED");
    const training = start(folder, ["train", "tiny.yaml", "--run", "followed"]);
    while (!existsSync(join(folder, "followed/recipe.yaml"))) await wait(20);
    await vivaOk(folder, "track", "followed", "--to", "mlflow", "--at", at, "--follow", "--with-images");
    expect((await training.finished).code).toBe(0);
    const followed = read(python, code, at, "tiny");
    expectRecorded(followed.scalars, "followed", { timed: true });
    expect(followed.params).toMatchObject({ "stages.1.learning_rate": "0.003", "data.train.name": "jsonl" });
    expect(followed.artifacts).toEqual(["rollouts/step-000005-0.png", "rollouts/step-000005.md"]);
  });
});

await describeWithPython("Trackio", { name: "trackio", requirements: ["trackio==0.43.0"] }, ({ python }) => {
  const code = `
import json, sys
from trackio.sqlite_storage import SQLiteStorage
found, samples = {}, []
for row in SQLiteStorage.get_logs(sys.argv[1], sys.argv[2]):
  for key, value in row.items():
    if isinstance(value, dict): samples.append([key, row["step"], value.get("_type")])
    elif isinstance(value, (int, float)) and key != "step": found.setdefault(key, []).append([row["step"], value])
print(json.dumps({
  "scalars": {key: sorted(points) for key, points in found.items()},
  "samples": samples,
  "config": SQLiteStorage.get_run_config(sys.argv[1], sys.argv[2]),
}))`;
  const serve = `
import sys, uvicorn
from trackio.server import build_starlette_app_only
app, token = build_starlette_app_only()
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))`;
  let at: string;
  beforeAll(async () => {
    process.env["TRACKIO_DIR"] = join(folder, "trackio-server");
    at = await serveTracker("trackio", python, (port) => ["-c", serve, String(port)], {});
  });

  it("has a killed run, and one that was handed over later with images", async () => {
    await trainKilled("trackio", { to: "trackio", at });
    const killed = read(python, code, "tiny", "trackio");
    expectRecorded(killed.scalars, "trackio", { timed: false });
    expect(textOf("trackio")).not.toContain(writeToken);
    await vivaOk(folder, "track", "whole", "--to", "trackio", "--at", at, "--project", "later", "--with-images");
    const whole = read(python, code, "later", "whole");
    expectRecorded(whole.scalars, "whole", { timed: true });
    expect(whole.samples.sort()).toEqual([
      ["rollouts/image_0", 5, "trackio.image"],
      ["rollouts/sample", 5, "trackio.markdown"],
    ]);
    expect(whole.config.name).toBe("tiny");
  });

  it("is told in one sentence that a token is wrong, which stands nowhere", async () => {
    process.env["TRACKIO_WRITE_TOKEN"] = "not-this-one";
    const { code: exit, stderr } = await viva(
      folder,
      "track",
      "whole",
      "--to",
      "trackio",
      "--at",
      at,
      "--project",
      "no",
    );
    process.env["TRACKIO_WRITE_TOKEN"] = writeToken;
    expect(stderr).toMatch(/^error: http:\/\/127\.0\.0\.1:\d+ answered 400 .*write_token is required.*\n$/);
    expect(stderr + textOf("whole")).not.toContain("not-this-one");
    expect(exit).toBe(2);
  });
});

await describeWithPython("Weights & Biases", { name: "wandb", requirements: ["wandb==0.21.4"] }, ({ python, bin }) => {
  const code = `
import json, sys, wandb
wandb._assert_is_internal_process = True
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore
store = DataStore()
store.open_for_scan(sys.argv[1])
found, kinds, config, media, steps = {}, [], {}, [], []
while (data := store.scan_data()) is not None:
  record = wandb_internal_pb2.Record()
  record.ParseFromString(data)
  kind = record.WhichOneof("record_type")
  kinds.append([record.num, kind])
  if kind == "run": config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
  if kind == "history":
    steps.append(record.history.step.num)
    for item in record.history.item:
      value = json.loads(item.value_json)
      if isinstance(value, dict): media.append([item.key, record.history.step.num, value])
      elif not item.key.startswith("_"): found.setdefault(item.key, []).append([record.history.step.num, value])
print(json.dumps({"scalars": found, "kinds": kinds, "config": config, "media": media, "steps": steps}))`;
  const recordFile = (run: string) => {
    const offline = join(folder, run, "wandb", readdirSync(join(folder, run, "wandb"))[0]!);
    return { offline, file: join(offline, readdirSync(offline).find((name) => name.endsWith(".wandb"))!) };
  };

  it("reads a killed run, and one that was handed over later with images", async () => {
    await trainKilled("wandb", { to: "wandb" });
    const killed = read(python, code, recordFile("wandb").file);
    expectRecorded(killed.scalars, "wandb", { timed: false });
    await vivaOk(folder, "track", "whole", "--to", "wandb", "--with-images");
    const { offline, file } = recordFile("whole");
    const whole = read(python, code, file);
    expectRecorded(whole.scalars, "whole", { timed: true });
    expect(whole.steps).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(whole.kinds.map(([number]: [number]) => number)).toEqual(whole.kinds.map((_: unknown, i: number) => i + 1));
    expect(whole.kinds.slice(-2).map(([, kind]: [number, string]) => kind)).toEqual(["exit", "footer"]);
    expect(whole.config.name).toBe("tiny");
    expect(whole.media.map(([key, step]: [string, number]) => [key, step])).toEqual([
      ["rollouts/sample", 5],
      ["rollouts/image_0", 5],
    ]);
    for (const [, , { path }] of whole.media) expect(existsSync(join(offline, "files", path))).toBe(true);
  });

  it("is uploaded by wandb sync as far as a server goes that only listens", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => {
        asked.push(body);
        response.setHeader("content-type", "application/json");
        response.statusCode = body.includes("UpsertBucket") ? 400 : 200;
        response.end(JSON.stringify({ data: { viewer: { entity: "me" }, serverInfo: null }, errors: [] }));
      });
    }).listen(0, "127.0.0.1");
    await new Promise((ready) => server.once("listening", ready));
    const { offline, file } = recordFile("whole");
    const env = {
      ...process.env,
      WANDB_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      WANDB_API_KEY: "0".repeat(40),
      WANDB_ENTITY: "me",
    };
    const sync = spawn(bin("wandb"), ["sync", offline], { cwd: folder, env, stdio: "ignore" });
    const timer = setTimeout(() => sync.kill("SIGKILL"), 60_000);
    await new Promise((ended) => sync.on("close", ended));
    clearTimeout(timer);
    server.close();
    const upsert = asked.find((body) => body.includes("UpsertBucket"))!;
    const { variables } = JSON.parse(upsert);
    expect(variables).toMatchObject({ name: file.slice(-15, -6).replace("-", ""), project: "tiny" });
    expect(JSON.parse(variables.config).stages.value[1].learning_rate).toBe(0.003);
  });
});
