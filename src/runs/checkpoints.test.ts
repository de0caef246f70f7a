import { spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findCheckpoint, latestCheckpoint, listCheckpoints, pruneCheckpoints, writeCheckpoint } from "./checkpoints.ts";
import { environment } from "./environment.ts";
import { readJsonl } from "./jsonl.ts";
import { createRun, openRun, type Run, rewindRun } from "./run-folder.ts";

let base: string;
let run: Run;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "viva-checkpoints-"));
  run = createRun(join(base, "run"), { recipeYaml: "name: x\n", environment: environment([]) });
});
afterEach(() => {
  run.close();
  rmSync(base, { recursive: true });
});

const write = (step: number) =>
  writeCheckpoint(
    run,
    step,
    async (folder) => {
      writeFileSync(join(folder, "model.safetensors"), `weights ${step}`);
      mkdirSync(join(folder, "optimizer"));
      writeFileSync(join(folder, "optimizer", "m.safetensors"), new Uint8Array(100_000).fill(step), { mode: 0o444 });
    },
    { step, position: [step, 0] },
  );

test("a checkpoint appears whole, with state and checksums of every file", async () => {
  const folder = await write(120);
  expect(folder).toBe(join(run.paths.checkpoints, "step-000120"));
  const { files } = JSON.parse(readFileSync(join(folder, "checksums.json"), "utf8"));
  expect(Object.keys(files)).toEqual(["model.safetensors", "optimizer/m.safetensors", "state.json"]);
  expect(files["optimizer/m.safetensors"].size).toBe(100_000);
  const { checkpoint, damaged } = await latestCheckpoint(run);
  expect(checkpoint).toEqual({ step: 120, folder, state: { step: 120, position: [120, 0] } });
  expect(damaged).toEqual([]);
});

test("no checkpoint is no error", async () => {
  expect(await latestCheckpoint(run)).toEqual({ checkpoint: null, damaged: [] });
  rmSync(run.paths.checkpoints, { recursive: true });
  expect(await findCheckpoint(run.paths)).toEqual({ checkpoint: null, damaged: [] });
});

test("a writer that fails leaves nothing, and the run's earlier checkpoint stands", async () => {
  await write(1);
  const failing = writeCheckpoint(run, 2, () => Promise.reject(new Error("disk full")), null);
  await expect(failing).rejects.toThrow(/step-000002: the checkpoint could not be written: disk full/);
  expect(readdirSync(run.paths.checkpoints)).toEqual(["step-000001"]);
  const clash = writeCheckpoint(run, 2, async (folder) => writeFileSync(join(folder, "state.json"), ""), null);
  await expect(clash).rejects.toThrow(/state\.json/);
});

test("what a kill left half-written is never taken, and removed by the run's writer only", async () => {
  await write(1);
  const half = join(run.paths.checkpoints, ".tmp-step-000002");
  mkdirSync(half);
  writeFileSync(join(half, "model.safetensors"), "weig");
  expect((await findCheckpoint(run.paths)).checkpoint?.step).toBe(1);
  expect(existsSync(half)).toBe(true);
  expect((await latestCheckpoint(run)).checkpoint?.step).toBe(1);
  expect(existsSync(half)).toBe(false);
});

test("every kind of damage is passed over and reported", async () => {
  const damages: readonly [(folder: string) => void, RegExp][] = [
    [
      (folder) => appendFileSync(join(folder, "model.safetensors"), "!"),
      /model\.safetensors has 10 bytes in place of 9/,
    ],
    [(folder) => writeFileSync(join(folder, "model.safetensors"), "weightz x"), /model\.safetensors does not match/],
    [(folder) => rmSync(join(folder, "optimizer/m.safetensors")), /m\.safetensors: there is no such file/],
    [(folder) => rmSync(join(folder, "checksums.json")), /checksums\.json: there is no such file/],
    [(folder) => writeFileSync(join(folder, "checksums.json"), '{"files":{'), /JSON/],
    [(folder) => writeFileSync(join(folder, "checksums.json"), '{"files":{}}'), /does not name state\.json/],
  ];
  await write(1);
  for (const [i, [damage]] of damages.entries()) damage(await write(2 + i));
  const { checkpoint, damaged } = await latestCheckpoint(run);
  expect(checkpoint?.step).toBe(1);
  expect(damaged.map(({ step }) => step)).toEqual([7, 6, 5, 4, 3, 2]);
  for (const [i, [, reason]] of damages.entries()) expect(damaged.at(-1 - i)?.reason).toMatch(reason);
});

test("a damaged checkpoint is replaced when training comes by again", async () => {
  rmSync(join(await write(3), "state.json"));
  expect((await latestCheckpoint(run)).checkpoint).toBe(null);
  await write(3);
  expect((await latestCheckpoint(run)).checkpoint?.step).toBe(3);
  expect(readdirSync(run.paths.checkpoints)).toEqual(["step-000003"]);
});

test("lines up to the checkpoint are on disk before it", async () => {
  const order: string[] = [];
  await writeCheckpoint(
    { ...run, sync: () => void order.push("lines") },
    1,
    async () => void order.push("checkpoint"),
    null,
  );
  expect(order).toEqual(["lines", "checkpoint"]);
});

test("pruning keeps what it is told to, and looks at nothing later", async () => {
  for (const step of [10, 20, 30, 40, 1_000_000]) await write(step);
  mkdirSync(join(run.paths.checkpoints, "notes"));
  expect(await pruneCheckpoints(run, 1_000_000, (steps) => steps)).toEqual([]);
  expect(await pruneCheckpoints(run, 40, (steps) => steps.filter((step) => step === 20 || step === 40))).toEqual([
    10, 30,
  ]);
  expect(await listCheckpoints(run.paths)).toEqual([20, 40, 1_000_000]);
  expect(readdirSync(run.paths.checkpoints).sort()).toEqual(["notes", "step-000020", "step-000040", "step-1000000"]);
});

test("a training killed anywhere resumes with every line up to its checkpoint, once", async () => {
  const folder = join(base, "killed");
  createRun(folder, { recipeYaml: "name: x\n", environment: environment([]) }).close();
  const from = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    import { writeFileSync } from "node:fs";
    import { latestCheckpoint, writeCheckpoint } from ${from("./checkpoints.ts")};
    import { openRun, rewindRun } from ${from("./run-folder.ts")};
    const run = openRun(${JSON.stringify(folder)});
    let step = (await latestCheckpoint(run)).checkpoint?.step ?? 0;
    rewindRun(run, step);
    const start = step;
    for (;;) {
      run.metrics.append({ step: ++step, text: "x".repeat(5000) });
      if (step % 3 === 0) await writeCheckpoint(run, step, async (f) => writeFileSync(f + "/w", "y".repeat(1e6)), step);
      if (step === start + 10) console.log("ready");
    }`;
  let last = 0;
  for (let kill = 0; kill < 3; kill++) {
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 7 * kill));
    child.kill("SIGKILL");
    await gone;
    const resumed = openRun(folder);
    const { checkpoint, damaged } = await latestCheckpoint(resumed);
    rewindRun(resumed, checkpoint!.step);
    resumed.close();
    expect(damaged).toEqual([]);
    expect(checkpoint!.step).toBeGreaterThan(last);
    last = checkpoint!.step;
    const steps = readJsonl(resumed.paths.metrics).map((record) => record.step);
    expect(steps).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  }
});
