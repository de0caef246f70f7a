/** viva federate: averages by examples, what leaves a site, mistakes; and viva merge on what sites trained. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { federation, site, writeFilmSites } from "./film-sites.ts";
import { type Row, writeRecipe } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: readonly string[]) => join(folder, ...path);
const weights = (path: string) => readFileSync(at(path, "adapter_model.safetensors"));
let said = "";
const firstRound = () => JSON.parse(readFileSync(at("whole/global/round-0001/round.json"), "utf8"));

beforeAll(async () => {
  await writeFilmSites(folder);
  ({ stdout: said } = await vivaOk(folder, "federate", "films.yaml", "--run", "whole", "--jobs", "2"));
}, 120_000);

describe("a federation", () => {
  it("weighs sites by their examples, says its error, and evaluates the last round", () => {
    const { clients, aggregation_error } = firstRound();
    expect(clients.map((one: Row) => [one["name"], one["examples"], one["share"]])).toEqual([
      ["north", 8, 8 / 12],
      ["south", 4, 4 / 12],
    ]);
    expect(aggregation_error).toBeGreaterThan(0);
    expect(aggregation_error).toBeLessThan(1);
    expect(jsonLines(folder, "whole/evals.jsonl").at(-1)).toMatchObject({ kind: "summary" });
    expect(said).toMatch(/^round 1 on data\.eval: accuracy \d+\.\d % \[.*\] of \d+; .*whole\/evals\.jsonl/m);
  });

  it("lets adapter and count leave a site, listed byte for byte, and nothing else", () => {
    for (const name of ["north", "south"]) {
      const [sent] = JSON.parse(readFileSync(at("whole/sites", name, "sent.json"), "utf8"));
      const outbox = at("whole/sites", name, "outbox/round-0001");
      const files = sent.files as { file: string; bytes: number }[];
      expect(files.map(({ file }) => file)).toEqual(["adapter_model.safetensors", "count.json"]);
      expect(readdirSync(outbox).sort()).toEqual(files.map(({ file }) => file));
      for (const { file, bytes } of files) expect(readFileSync(join(outbox, file)).length).toBe(bytes);
      expect(readFileSync(join(outbox, "count.json"), "utf8")).toBe(`{"examples":${name === "north" ? 8 : 4}}\n`);
      const header = readFileSync(join(outbox, "adapter_model.safetensors")).toString("latin1");
      for (const text of [folder, "patient", "film"]) expect(header).not.toContain(text);
    }
  });

  it("of one site is that site's training", async () => {
    writeRecipe(at("one.yaml"), { ...federation, clients: [site("north")] });
    await vivaOk(folder, "federate", "one.yaml", "--run", "one");
    const sets = ["data.train.split=north", "stages.0.steps=2", "evaluate=null"].flatMap((set) => ["--set", set]);
    await vivaOk(folder, "train", "local.yaml", ...sets, "--run", "central", "--no-report");
    expect(Buffer.compare(weights("one/global/round-0001"), weights("central/checkpoints/step-000002"))).toBe(0);
  }, 60_000);
});

describe("a mistake", () => {
  const refused = async (change: object, message: RegExp) => {
    writeRecipe(at("bad.yaml"), { ...federation, ...change });
    const { code, stderr } = await viva(folder, "federate", "bad.yaml", "--run", "bad");
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(at("bad"))).toBe(false);
  };

  it("is refused in one sentence before anything is written", async () => {
    const shared = /the sites both and north share 3 subjects \(patient-5, patient-6, patient-7\)/;
    const foreign = { name: "north", set: { "stages.0.learning_rate": 1 } };
    await refused({ clients: [site("north"), site("both")] }, shared);
    await refused({ clients: [foreign] }, /set\.stages\.0\.learning_rate: all sites train alike/);
    await refused({ mode: "fedprox" }, /mode must be one of fedavg, fedex, svd, ffa/);
  }, 60_000);
});

describe("viva merge", () => {
  const adapters = ["north", "south"].map((name) => join("whole/sites", name, "runs/round-0001"));

  it("gives an adapter of its own rank back, and says what a smaller one loses", async () => {
    const [one] = adapters as [string];
    const same = await vivaOk(folder, "merge", one, one, "--rank", "2", "--out", "same", "--json");
    expect(JSON.parse(same.stdout).lost).toBeLessThan(1e-5);
    const less = await vivaOk(folder, "merge", ...adapters, "--rank", "1", "--out", "less", "--json");
    expect(JSON.parse(less.stdout).lost).toBeGreaterThan(0.1);
    expect(readdirSync(at("less"))).toContain("adapter_config.json");
  }, 60_000);

  it("averages sites as a federation does", async () => {
    const averaging = ["--method", "fedavg", "--weights", "8,4", "--out", "averaged", "--json"];
    const { stdout } = await vivaOk(folder, "merge", ...adapters, ...averaging);
    expect(JSON.parse(stdout).aggregation_error).toBe(firstRound().aggregation_error);
    expect(Buffer.compare(weights("averaged"), weights("whole/global/round-0001"))).toBe(0);
  }, 60_000);
});
