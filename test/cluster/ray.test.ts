/** Runs as jobs of a cluster, against a stand-in for Ray's job server: what is lost, what fails, what stops, what is refused. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { answerProbe, pathsOf, probeNodes } from "../../src/cluster/probe.ts";
import { openRay } from "../../src/cluster/ray-client.ts";
import { trainRemotely } from "../../src/cluster/remote-run.ts";
import { nodesWithRoom, readResources } from "../../src/cluster/resources.ts";
import { type FakeRay, openFakeRay } from "./fake-ray.ts";

const fakeTrain = join(import.meta.dirname, "fake-train.mjs");
const twoNodes = [1, 2].map((n) => ({
  ...{ node_id: `${n}`.repeat(56), node_ip: `10.0.0.${n}`, state: "ALIVE" },
  resources_total: { CPU: 4, memory: 8e9, ...(n === 2 ? { GPU: 1 } : {}) },
}));

let folder: string;
let ray: FakeRay;
let steps: number[];
let notices: string[];
let stopping: AbortController;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viva-ray-"));
  ray = await openFakeRay(twoNodes);
  [steps, notices, stopping] = [[], [], new AbortController()];
});
afterEach(async () => {
  await ray.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Trains a run of a stand-in for viva: MS:STEPS:FAIL. */
function train(name: string, plan: string) {
  const run = { name, folder: join(folder, name), recipe: join(folder, "recipe.yaml") };
  return trainRemotely(run, {
    ...{ ray: openRay(ray.url), resources: readResources("cpus=2"), viva: [process.execPath, fakeTrain, plan] },
    ...{ nonce: "n", jobs: join(folder, "jobs"), every: 30, signal: stopping.signal },
    onStep: ({ step }) => void steps.push(step),
    onNotice: (text) => void notices.push(text),
  });
}

const until = (holds: () => boolean) => expect.poll(holds, { timeout: 10_000, interval: 10 }).toBe(true);
const starts = (name: string) =>
  readFileSync(join(folder, name, "starts.txt"), "utf8")
    .trim()
    .split("\n");

describe("a run", () => {
  it("is one job, which takes what was asked for, and tells of its steps", async () => {
    expect(await train("one", "20:4:0")).toEqual({ ok: true });
    expect(steps).toEqual([1, 2, 3, 4]);
    expect(ray.taken).toEqual([
      expect.objectContaining({ submission_id: "one-n-1", entrypoint_num_cpus: 2, entrypoint_num_gpus: 0 }),
    ]);
    expect(ray.taken[0]!.entrypoint).toMatch(/; exec \S*node \S+fake-train.mjs 20:4:0 train \S+recipe.yaml --run /);
    expect(notices).toEqual([]);
  });

  it("that loses its node goes on in another job from where its folder stands", async () => {
    const ended = train("lost", "40:6:0");
    await until(() => steps.includes(3));
    ray.lose("lost-n-1");
    expect(await ended).toEqual({ ok: true });
    expect(ray.taken.map(({ submission_id }) => submission_id)).toEqual(["lost-n-1", "lost-n-2"]);
    expect(ray.taken[1]!.entrypoint).toMatch(/train --resume --run/);
    expect(steps.toSorted()).toEqual([1, 2, 3, 4, 5, 6]); // none twice
    expect(notices).toEqual([
      expect.stringMatching(/job 1 of lost was lost \(Job supervisor actor died.*submitted again/),
    ]);
  });

  it("that fails by itself is not tried again", async () => {
    expect(await train("bad", "10:6:3")).toEqual({ ok: false, message: "the loss is not finite" });
    expect(ray.taken).toHaveLength(1);
  });

  it("that is lost again and again without a checkpoint has failed", async () => {
    const losing = setInterval(() => ray.list("RUNNING").forEach((id) => void ray.lose(id)), 20);
    const ended = await train("never", "5000:2:0").finally(() => clearInterval(losing));
    expect(ended).toEqual({ ok: false, message: expect.stringMatching(/5 in a row made no checkpoint/) });
    expect(ray.taken).toHaveLength(5);
  });
});

describe("a head that goes away and knows of no job when it is back", () => {
  it("is waited for: a run that died with it goes on", async () => {
    const ended = train("head", "150:6:0");
    await until(() => steps.includes(2));
    await ray.away(true);
    await until(() => notices.some((text) => /does not answer; waiting/.test(text)));
    await ray.back();
    expect(await ended).toEqual({ ok: true });
    expect(starts("head").length).toBe(2);
    expect(notices).toContainEqual(expect.stringMatching(/answers again/));
  });

  it("has no second job of a run that is still at work", async () => {
    const ended = train("survivor", "60:10:0");
    await until(() => steps.includes(2));
    await ray.away(false);
    await ray.back();
    expect(await ended).toEqual({ ok: true });
    expect(starts("survivor")).toEqual(["0"]);
    expect(ray.taken).toHaveLength(1);
  });

  it("is not needed any more by a run that has ended", async () => {
    const ended = train("ended", "20:4:0");
    await until(() => steps.includes(1));
    await ray.away(false);
    expect(await ended).toEqual({ ok: true });
  });
});

describe("stopping", () => {
  it("ends a running job and waits until nobody writes its run", async () => {
    const ended = train("run", "50:1000:0");
    await until(() => steps.includes(2));
    stopping.abort();
    expect(await ended).toEqual({ ok: false, message: "stopped" });
    expect(existsSync(join(folder, "run/.lock"))).toBe(false);
    expect(ray.list("STOPPED")).toEqual(["run-n-1"]);
  });

  it("takes back a pending job, which begins all the same and does nothing", async () => {
    ray.slots = 0;
    const ended = train("pending", "10:2:0");
    await until(() => ray.list("PENDING").length === 1);
    stopping.abort();
    expect(await ended).toMatchObject({ ok: false });
    ray.slots = 1;
    ray.begin();
    await until(() => ray.list("SUCCEEDED").length === 1);
    expect(existsSync(join(folder, "pending"))).toBe(false);
  });
});

describe("before anything runs", () => {
  it("reads what a run takes, and refuses what no node has", async () => {
    const nodes = await openRay(ray.url).nodes();
    const room = (list: string) => nodesWithRoom(readResources(list), nodes).map(({ address }) => address);
    expect(room("")).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(room("cpus=4,gpus=1")).toEqual(["10.0.0.2"]);
    expect(() => room("cpus=8")).toThrow(
      /no node has 8 CPU; there are 10.0.0.1: 4 CPU, 8.0 GB; 10.0.0.2: 4 CPU, 1 GPU/,
    );
    expect(() => room("gpus=1,memory_gb=16")).toThrow(/no node has 1 CPU, 1 GPU, 16.0 GB; .*8.0 GB/);
    expect(() => room("slides=1")).toThrow(/no node has 1 CPU, 1 slides/);
    expect(() => readResources("cpus")).toThrow(/expected NAME=AMOUNT/);
    expect(() => readResources("cpus=1,cpus=2")).toThrow(/cpus stands twice/);
  });

  it("says where no job server is", async () => {
    expect(() => openRay("head:8265")).toThrow(/expected the address of Ray's dashboard/);
    await expect(openRay("http://127.0.0.1:9").nodes()).rejects.toThrow(/no job server of Ray answers there/);
  });

  /** Probes with a stand-in for viva that answers as a node of this version would. */
  async function probe(paths: readonly string[], command = "answer.mjs") {
    const script = join(folder, "answer.mjs");
    writeFileSync(
      script,
      `import { existsSync, readFileSync, writeFileSync } from "node:fs";
      const [, , , file, node] = process.argv;
      const { paths } = JSON.parse(readFileSync(file, "utf8"));
      const answer = { version: "1.0", missing: paths.filter((path) => !existsSync(path)) };
      writeFileSync(file + "." + node.slice(0, 12), JSON.stringify(answer));`,
    );
    const client = openRay(ray.url);
    const viva = [process.execPath, join(folder, command)];
    const asked = {
      ray: client,
      nodes: await client.nodes(),
      viva,
      nonce: command.slice(0, 4),
      jobs: join(folder, "jobs"),
    };
    await probeNodes({ ...asked, version: "1.0", paths, signal: stopping.signal });
  }

  it("asks every node whether it starts viva and sees the paths", async () => {
    await probe([folder]);
    expect(ray.taken.map((job) => job["entrypoint_label_selector"])).toEqual(
      twoNodes.map(({ node_id }) => ({ "ray.io/node-id": node_id })),
    );
  });

  it("refuses a node that lacks a path, and one that cannot start viva", async () => {
    await expect(probe(["/nowhere/else"])).rejects.toThrow(/node 10\.0\.0\.\d of Ray does not see \/nowhere\/else/);
    await expect(probe([], "none.mjs")).rejects.toThrow(/node 10\.0\.0\.\d of Ray cannot start viva, or does not see/);
  });

  it("answers on the node with its version and what it does not see", () => {
    mkdirSync(join(folder, "jobs"));
    const file = join(folder, "jobs", "probe.json");
    writeFileSync(file, JSON.stringify({ paths: [folder, "/nowhere"] }));
    answerProbe(file, "1".repeat(56), "9.9");
    expect(JSON.parse(readFileSync(`${file}.${"1".repeat(12)}`, "utf8"))).toEqual({
      version: "9.9",
      missing: ["/nowhere"],
    });
    expect(
      pathsOf({ model: { path: folder }, stages: [{ rewards: { mine: { module: fakeTrain } } }], name: "x" }),
    ).toEqual([folder, fakeTrain]);
  });
});
