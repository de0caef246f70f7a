/** Federations that are killed, in every mode, and merging chosen by validation. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { filesBelow, interrupted, start, temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { federation, writeFilmSites } from "../cli/film-sites.ts";
import { type Row, writeRecipe } from "../cli/tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: readonly string[]) => join(folder, ...path);

beforeAll(async () => {
  await writeFilmSites(folder, { rounds: 2 });
  await vivaOk(folder, "federate", "films.yaml", "--run", "whole");
}, 300_000);

/** What a federation's result is: the adapters of all rounds, and what every site sent. */
const outcome = (run: string) =>
  ["global", "sites/north/outbox", "sites/south/outbox"].map((part) =>
    filesBelow(at(run, part)).map((file) => [file, readFileSync(at(run, part, file)).toString("base64")]),
  );

/** The process that trains a run, once it holds the run's lock. */
async function trainerOf(run: string): Promise<number> {
  while (!existsSync(join(run, ".lock"))) await new Promise((next) => setTimeout(next, 1));
  return JSON.parse(readFileSync(join(run, ".lock"), "utf8")).pid;
}

it("comes to the same bytes in any order of sites, killed whole twice, and with a site killed", async () => {
  const order = { ...federation, rounds: 2, clients: federation.clients.toReversed() };
  writeRecipe(at("other-order.yaml"), order);
  const kill = (when: () => boolean, ...args: string[]) =>
    interrupted(folder, ["federate", ...args, "--run", "killed"], { signal: "SIGKILL", when });
  await kill(() => existsSync(at("killed/sites/north/runs/round-0001/metrics.jsonl")), "other-order.yaml");
  await kill(() => existsSync(at("killed/sites/south/runs/round-0001/recipe.yaml")), "--resume");
  const last = start(folder, ["federate", "--run", "killed", "--resume"]);
  process.kill(await trainerOf(at("killed/sites/south/runs/round-0002")), "SIGKILL");
  const { code, stderr } = await last.finished;
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("south, round 2: ended by SIGKILL");
  expect(outcome("killed")).toEqual(outcome("whole"));
}, 300_000);

it("keeps one A in mode ffa, whose average is exact, and changes the base in mode fedex", async () => {
  for (const mode of ["ffa", "fedex", "svd"]) {
    await vivaOk(folder, "federate", "films.yaml", "--set", `mode=${mode}`, "--set", "rounds=1", "--run", mode);
  }
  const error = (mode: string) =>
    JSON.parse(readFileSync(at(mode, "global/round-0001/round.json"), "utf8")).aggregation_error;
  expect(error("ffa")).toBeLessThan(1e-6);
  expect(error("svd")).toBeLessThan(error("fedex"));
  const config = JSON.parse(readFileSync(at("fedex/global/round-0001/adapter_config.json"), "utf8"));
  expect(config.base_model_name_or_path).toBe(at("fedex/global/round-0001/model"));
  expect(readdirSync(config.base_model_name_or_path)).toContain("model.safetensors");
}, 300_000);

it("chooses a merge on validation questions, the plain mean always among the candidates", async () => {
  const adapters = ["north", "south"].map((name) => at("whole/sites", name, "runs/round-0001"));
  const args = ["merge", ...adapters, "--method", "ties", "--choose-by", "local.yaml", "--out", "chosen", "--json"];
  const { table, chosen } = JSON.parse((await vivaOk(folder, ...args)).stdout);
  expect(table[0]).toMatchObject({ method: "mean", density: null, lambda: 1 });
  expect(table.slice(1).map(({ method }: Row) => method)).toEqual(Array.from({ length: 18 }, () => "ties"));
  expect(chosen.accuracy).toBe(Math.max(...table.map(({ accuracy }: { accuracy: number }) => accuracy)));
}, 600_000);
