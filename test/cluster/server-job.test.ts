/** The server of a run as a job of a cluster, against a stand-in for Ray's job server. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import { parseDocument } from "yaml";
import { openRay } from "../../src/cluster/ray-client.ts";
import { readResources } from "../../src/cluster/resources.ts";
import { startServerJob } from "../../src/cluster/server-job.ts";
import { viva, vivaOk } from "../cli/command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeRows } from "../cli/tiny-run.ts";
import { freePort } from "../free-port.ts";
import { checkpoint as model } from "../server/served.ts";
import { type FakeRay, openFakeRay } from "./fake-ray.ts";

let folder: string;
let ray: FakeRay;
let url: string;
let notices: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viva-server-job-"));
  const node = (n: number, node_ip: string) => ({
    ...{ node_id: `${n}`.repeat(56), node_ip, state: "ALIVE" },
    resources_total: { CPU: 2 },
  });
  ray = await openFakeRay([node(1, "10.0.0.1"), node(2, "127.0.0.1")]);
  url = `http://127.0.0.1:${await freePort()}`;
  notices = [];
  writeFileSync(
    join(folder, "server.mjs"),
    `import { createServer } from "node:http";
    createServer((_, response) => response.end("{}")).listen(Number(process.argv[2]), "127.0.0.1");`,
  );
});
afterEach(async () => {
  await ray.close();
  rmSync(folder, { recursive: true, force: true });
});

const program = () => `${process.execPath} ${join(folder, "server.mjs")} ${new URL(url).port}`;

function start(
  command = program(),
  o: { readonly at?: string; readonly nonce?: string; readonly signal?: AbortSignal } = {},
) {
  const { at = url, nonce = "n", signal = new AbortController().signal } = o;
  const job = { url: at, command, resources: readResources("cpus=1") };
  const onNotice = (text: string) => void notices.push(text);
  return startServerJob(job, { ray: openRay(ray.url), nonce, onNotice, signal, every: 20 });
}

const isUp = () =>
  fetch(`${url}/api/v1/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

it("runs on the node that its address names, is started again when it was lost, and ends with the run", async () => {
  const stop = await start();
  expect(await isUp()).toBe(true);
  expect(ray.taken[0]).toMatchObject({ entrypoint_label_selector: { "ray.io/node-id": "2".repeat(56) } });
  ray.lose("viva-server-n-1");
  await expect.poll(() => ray.list("RUNNING"), { timeout: 10_000 }).toEqual(["viva-server-n-2"]);
  await expect.poll(isUp, { timeout: 10_000 }).toBe(true);
  expect(notices.at(-1)).toMatch(/viva-server-n-1 was lost \(.*unexpectedly\); it is submitted again/);
  await stop();
  expect([ray.list("RUNNING"), ray.list("STOPPED"), await isUp()]).toEqual([[], ["viva-server-n-2"], false]);
});

it("starts no second server while the first answers, though Ray has forgotten its job", async () => {
  const stop = await start(`sh -c 'echo $$ > ${join(folder, "main.pid")}; exec ${program()}'`);
  const pid = Number(readFileSync(join(folder, "main.pid"), "utf8"));
  try {
    await ray.away(false);
    await ray.back();
    await expect.poll(() => notices.at(-1), { timeout: 10_000 }).toMatch(/though its job viva-server-n-1 is gone: Ray/);
    const asked = ray.asked("viva-server-n-1");
    await expect.poll(() => ray.asked("viva-server-n-1"), { timeout: 10_000 }).toBeGreaterThan(asked + 5);
    expect([ray.taken.length, notices.length, await isUp()]).toEqual([1, 2, true]);
    await stop();
    expect(notices.at(-1)).toMatch(
      /no record of the job viva-server-n-1, whose server answers at http.* still: end it/,
    );
  } finally {
    process.kill(pid, "SIGKILL");
  }
});

it("starts the server again once it answers no more, though Ray had forgotten its job", async () => {
  const stop = await start();
  await ray.away(true);
  await ray.back();
  await expect.poll(() => ray.list("RUNNING"), { timeout: 10_000 }).toEqual(["viva-server-n-2"]);
  await expect.poll(isUp, { timeout: 10_000 }).toBe(true);
  await stop();
});

it("leaves a server that answers already as it is", async () => {
  const stop = await start();
  const other = await start();
  expect(notices.at(-1)).toBe(`a server answers at ${url}; none is started on Ray`);
  await other();
  expect([ray.taken.length, await isUp()]).toEqual([1, true]);
  await stop();
});

it("says why a server did not start, and leaves none behind", async () => {
  await expect(start("sh -c 'echo no such model >&2; exit 3'")).rejects.toThrow(
    /viva-server-n-3 ended before it answered at http.*: no such model$/,
  );
  expect(ray.taken.length).toBe(3);
  await expect(start(program(), { at: "http://10.9.9.9:8000" })).rejects.toThrow(
    /engine.url: 10.9.9.9 is no node of the cluster that has room for the server: 10.0.0.1, 127.0.0.1/,
  );
  const stopping = new AbortController();
  const waiting = start("sleep 60", { nonce: "m", signal: stopping.signal });
  await expect.poll(() => ray.list("RUNNING").length, { timeout: 10_000 }).toBe(1);
  stopping.abort();
  await expect(waiting).rejects.toThrow(/abort/i);
  expect(ray.list("RUNNING")).toEqual([]);
});

it("serves a run of viva train, by viva's own Tinker server", async () => {
  const { stages, ...plain } = tinyRecipe({ model, data: await writeFilms(join(folder, "films")) });
  const main = join(inject("built"), "dist/cli/main.js");
  const command = `${process.execPath} ${main} serve ${model} --tinker --port ${new URL(url).port}`;
  const recipe = {
    ...{ ...plain, stages: [{ ...(stages[0] as object), weight_decay: 0 }] },
    model: { path: model, lora: { r: 2 } },
    engine: { backend: "tinker", url, server_job: { ray: ray.url, command } },
  };
  const file = writeRecipe(join(folder, "remote.yaml"), recipe);
  const said = await vivaOk(folder, "train", file, "--run", "run", "--no-report", "--json");
  expect(said.stdout).toContain("as a job of Ray");
  expect([ray.list("RUNNING"), ray.list("STOPPED").length]).toEqual([[], 1]);
  const alone = writeRecipe(join(folder, "alone.yaml"), {
    ...recipe,
    engine: { server_job: recipe.engine.server_job },
  });
  const { code, stderr } = await viva(folder, "train", alone, "--run", "none");
  expect([code, stderr]).toEqual([2, expect.stringMatching(/engine.server_job starts a server: set engine.backend/)]);
}, 60_000);

it("is not started for a run that cannot begin: data, subjects, rewards and changes of the data are seen before", async () => {
  const films = await writeFilms(join(folder, "films"));
  const { stages, ...plain } = tinyRecipe({ model, data: films });
  const recipe = {
    ...{ ...plain, model: { path: model, lora: { r: 2 } } },
    stages: [{ ...(stages[1] as object), weight_decay: 0 }],
    engine: { backend: "tinker", url, server_job: { ray: ray.url, command: program() } },
  };
  const file = writeRecipe(join(folder, "remote.yaml"), recipe);
  const local = ["--set", "engine={}", "--set", 'stages=[{"kind": "sft", "steps": 1}]'];
  await vivaOk(folder, "train", file, ...local, "--run", "trained", "--no-report");
  const only = [{ id: "a", image: "images/1.jpg", question: "Is it dark?", answer: "no" }];
  writeRows(join(films, "train.jsonl"), only);
  const trained = join(folder, "trained/recipe.yaml");
  const document = parseDocument(readFileSync(trained, "utf8"));
  document.set("engine", recipe.engine);
  writeFileSync(trained, document.toString());
  for (const [args, error] of [
    [[file, "--set", "data.train.path=nothing-here"], /nothing-here/],
    [[file, "--set", "data.eval.split=train"], /data.eval shares with the training data/],
    [[file, "--set", 'stages.0.rewards={"own": {"weight": 1, "module": "none.mjs"}}'], /none.mjs: no such file/],
    [["--run", "trained", "--resume"], /trained.*--allow-changed-data/],
  ] as const) {
    const { code, stderr } = await viva(folder, "train", ...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(error)]);
  }
  expect(ray.taken).toEqual([]);
}, 60_000);
