import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../core/errors.ts";
import { dependencyVersion, environment } from "./environment.ts";
import { readJsonl } from "./jsonl.ts";
import { createRun, defaultRunFolder, openRun, rewindRun, sidecarPath, stepName, stepOfName } from "./run-folder.ts";

let folder: string;
const content = { recipeYaml: "name: x\n", environment: environment([]) };
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "viva-run-")), "run");
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true }));

test("a new run has its recipe, its environment and empty streams", () => {
  createRun(folder, content).close();
  expect(readFileSync(join(folder, "recipe.yaml"), "utf8")).toBe("name: x\n");
  expect(JSON.parse(readFileSync(join(folder, "environment.json"), "utf8"))).toEqual(content.environment);
  expect(readdirSync(folder).sort()).toEqual(
    ["checkpoints", "environment.json", "recipe.yaml", "rollouts"]
      .concat(["evals", "events", "metrics", "rollouts"].map((name) => `${name}.jsonl`))
      .sort(),
  );
});

test("a folder with content, or a file, is refused with advice", () => {
  mkdirSync(folder);
  createRun(folder, content).close();
  expect(() => createRun(folder, content)).toThrow(/not empty; continue that run with --resume, or .* --run/);
  const file = join(folder, "recipe.yaml");
  expect(() => createRun(file, content)).toThrow(UserError);
  expect(() => openRun(join(folder, "other"))).toThrow(/no run here/);
});

test("two writers never hold one run, and closing frees it", () => {
  const run = createRun(folder, content);
  expect(() => openRun(folder)).toThrow(new RegExp(`process ${process.pid} on ${hostname()} is writing this run`));
  run.close();
  openRun(folder).close();
  expect(existsSync(join(folder, ".lock"))).toBe(false);
});

test("the lock of a living process holds; that of a killed one is taken over", async () => {
  createRun(folder, content).close();
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const lock = join(folder, ".lock");
  const holder = (host: string) => JSON.stringify({ pid: child.pid, host, started: null });
  writeFileSync(lock, holder(hostname()));
  expect(() => openRun(folder)).toThrow(`process ${child.pid}`);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
  openRun(folder).close();
  writeFileSync(lock, holder("another-machine"));
  expect(() => openRun(folder)).toThrow("another-machine");
  writeFileSync(lock, ""); // power went while it was written
  openRun(folder).close();
  expect(readdirSync(folder).filter((name) => name.startsWith(".lock"))).toEqual([]);
});

test.runIf(process.platform === "linux")("a reused process id is not the process that held the lock", () => {
  createRun(folder, content).close();
  writeFileSync(join(folder, ".lock"), JSON.stringify({ pid: process.pid, host: hostname(), started: "boot/1" }));
  openRun(folder).close();
});

test("of many processes that start at once on a stale lock, one gets the run", async () => {
  createRun(folder, content).close();
  const script = `
    const { openRun } = await import(${JSON.stringify(new URL("./run-folder.ts", import.meta.url).href)});
    try { openRun(${JSON.stringify(folder)}); console.log("got"); }
    catch (error) { console.log(error.name); }
    process.stdin.resume();`; // lives, and so holds its lock, until its input is closed
  writeFileSync(join(folder, ".lock"), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), started: null }));
  const children = [1, 2, 3].map(() =>
    spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]),
  );
  const outcomes = await Promise.all(
    children.map(({ stdout }) => new Promise((resolve) => stdout.once("data", (text) => resolve(String(text).trim())))),
  );
  for (const child of children) child.stdin.end();
  expect(outcomes.sort()).toEqual(["UserError", "UserError", "got"]);
});

test("rewinding drops what came after the step, in streams and sidecars", () => {
  const run = createRun(folder, content);
  for (const step of [0, 1, 2, 3]) {
    run.metrics.append({ step, "reward/mean": 0 });
    run.rollouts.append({ id: `${step}/0` });
    run.evals.append({ checkpoint: stepName(step), example_id: "17/2" });
    writeFileSync(sidecarPath(run.paths, step), "");
  }
  run.events.append({ event: "started" });
  writeFileSync(run.paths.metrics, '{"step":4', { flag: "a" });
  expect(rewindRun(run, 2)).toBe(4);
  run.metrics.append({ step: 3, again: 1 });
  run.close();
  expect(readJsonl(run.paths.metrics).map(({ step }) => step)).toEqual([0, 1, 2, 3]);
  expect(readJsonl(run.paths.rollouts)).toHaveLength(3);
  expect(readJsonl(run.paths.evals)).toHaveLength(3);
  expect(readJsonl(run.paths.events)).toHaveLength(1);
  expect(readdirSync(run.paths.sidecars)).toHaveLength(3);
});

test("names of steps sort and read back", () => {
  expect(stepName(120)).toBe("step-000120");
  for (const step of [0, 7, 1234567]) expect(stepOfName(stepName(step))).toBe(step);
  expect(stepOfName("step-000003.jsonl")).toBe(3);
  expect(stepOfName(".tmp-step-000003")).toBe(null);
  expect(defaultRunFolder("slake", new Date("2025-07-14T10:15:30.123Z"))).toBe(join("runs", "slake-20250714T101530Z"));
});

test("the environment names versions and the commit, and holds nothing of the process environment", () => {
  const file = join(folder, "..", "file.json");
  writeFileSync(file, "[]");
  process.env.VIVA_TEST_SECRET = "hunter2";
  const found = environment(["onnxruntime-node", "missing"], join(folder, ".."));
  expect(found.packages).toEqual({
    "viva-rl": expect.stringMatching(/^\d+\.\d+/),
    "onnxruntime-node": expect.stringMatching(/^1\.\d+/),
    missing: "unknown",
  });
  expect(found.git_commit).toBe(null);
  expect(found.cores).toBeGreaterThan(0);
  expect(JSON.stringify(found)).not.toContain("hunter2");
  delete process.env.VIVA_TEST_SECRET;

  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: join(folder, "..") });
  git("init", "-q");
  git("add", "file.json");
  git("commit", "-qm", "x");
  expect(environment([], join(folder, "..")).git_commit).toMatch(/^[0-9a-f]{40}$/);
  writeFileSync(file, "{}");
  expect(environment([], join(folder, "..")).git_commit).toMatch(/^[0-9a-f]{40}-dirty$/);
});

test("a dependency's version is that of the copy in use, beside viva or in the folder of what depends on viva", () => {
  const parent = join(folder, "..", "parent", "node_modules");
  const install = (place: string, version: string) => {
    mkdirSync(join(place, "onnxruntime-node"), { recursive: true });
    writeFileSync(
      join(place, "onnxruntime-node", "package.json"),
      JSON.stringify({ name: "onnxruntime-node", version }),
    );
  };
  const from = join(parent, "viva-rl", "dist", "runs", "environment.js");
  install(parent, "1.30.0");
  expect(dependencyVersion("onnxruntime-node", from)).toBe("1.30.0");
  install(join(parent, "viva-rl", "node_modules"), "1.31.0");
  expect(dependencyVersion("onnxruntime-node", from)).toBe("1.31.0");
  expect(dependencyVersion("sharp", from)).toBe("unknown");
});
