/** viva train --ray and viva study --ray, with a stand-in for Ray's job server: the same record as on one machine. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonLines, start, temporaryFolder, viva, vivaOk } from "../cli/command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "../cli/tiny-run.ts";
import { type FakeRay, openFakeRay } from "./fake-ray.ts";

const folder = temporaryFolder();
let ray: FakeRay;
let plain: ReturnType<typeof tinyRecipe>;
beforeAll(async () => {
  const model = writeTinyModel(join(folder, "model"));
  const data = await writeFilms(join(folder, "films"));
  plain = tinyRecipe({ model, data });
  ray = await openFakeRay([
    { node_id: "1".repeat(56), node_ip: "10.0.0.1", state: "ALIVE", resources_total: { CPU: 2 } },
    { node_id: "2".repeat(56), node_ip: "10.0.0.2", state: "DEAD", resources_total: { CPU: 64 } },
  ]);
});
afterAll(() => ray.close());

const record = (run: string) => ({
  rollouts: jsonLines(folder, run, "rollouts.jsonl"),
  evals: jsonLines(folder, run, "evals.jsonl"),
});

it("trains a run as a job, goes on after its node died, and writes its report", async () => {
  const file = writeRecipe(join(folder, "tiny.yaml"), { ...plain, checkpoint: { every: 1 } });
  await vivaOk(folder, "train", file, "--run", "local", "--quiet");
  const { finished } = start(folder, [
    "train",
    file,
    "--run",
    "remote",
    "--ray",
    ray.url,
    "--resources",
    "cpus=2",
    "--json",
  ]);
  const job = () => ray.list("RUNNING").find((id) => id.startsWith("viva-remote"));
  await expect.poll(() => existsSync(join(folder, "remote/checkpoints/step-000002")), { timeout: 50_000 }).toBe(true);
  ray.lose(job()!);
  const { code, stdout, stderr } = await finished;
  expect([code, stderr]).toEqual([0, ""]);
  expect(record("remote")).toEqual(record("local"));
  expect(existsSync(join(folder, "remote/report.html"))).toBe(true);
  const told = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(told.filter(({ type }) => type === "message")).toContainEqual(
    expect.objectContaining({ text: expect.stringMatching(/was lost .*submitted again/) }),
  );
  expect(told.filter(({ type }) => type === "step").at(-1)).toMatchObject({ step: 4, total: 4 });
}, 120_000);

it("runs a study as on one machine", async () => {
  const { name: _, seed: __, ...base } = plain;
  const arms = [{ name: "plain" }, { name: "quick", set: { "stages.1.learning_rate": 0.01 } }];
  const file = writeRecipe(join(folder, "study.yaml"), { name: "two", seeds: [1], base, reference: "plain", arms });
  await vivaOk(folder, "study", file, "--run", "study-local", "--json");
  await vivaOk(folder, "study", file, "--run", "study-remote", "--ray", ray.url, "--json");
  const results = (run: string) =>
    JSON.parse(readFileSync(join(folder, run, "study.json"), "utf8"), (key, value) =>
      ["created", "seconds", "cost"].includes(key) ? null : value,
    );
  expect(results("study-remote")).toEqual(results("study-local"));
  for (const arm of ["plain", "quick"])
    expect(record(`study-remote/runs/${arm}-seed1`)).toEqual(record(`study-local/runs/${arm}-seed1`));
}, 120_000);

it("refuses what cannot be before anything runs", async () => {
  const said = async (...args: readonly string[]) => {
    const { code, stderr } = await viva(folder, ...args);
    return [code, stderr];
  };
  const train = ["train", "tiny.yaml", "--run", "none"];
  const much = await said(...train, "--ray", ray.url, "--resources", "cpus=4");
  expect(much).toEqual([2, expect.stringMatching(/no node has 4 CPU; there are 10.0.0.1: 2 CPU\n/)]);
  expect(await said(...train, "--resources", "cpus=1")).toEqual([2, expect.stringMatching(/--resources needs --ray/)]);
  const plan = await said("study", "study.yaml", "--plan", "--ray", ray.url);
  expect(plan).toEqual([2, expect.stringMatching(/leave --ray out/)]);
  expect(existsSync(join(folder, "none"))).toBe(false);
});
