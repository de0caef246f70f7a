/**
 * A study on a real Ray cluster of two nodes, one of which is killed, whose head is killed and started again, with an arm that
 * fails: its results are those of the same study on one machine.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, it } from "vitest";
import { stringify } from "yaml";
import { filesBelow, jsonLines, temporaryFolder, viva } from "../cli/command-line.ts";
import { tinyRecipe, writeFilms, writeTinyModel } from "../cli/tiny-run.ts";
import { describeWithPython } from "../real/python.ts";

const needs = { name: "ray", version: "3.12", requirements: ["ray[default]==2.57.0"] } as const;
const folder = temporaryFolder();

/** Three arms that end and one that fails at its fourth step; each step pauses as long as the environment says. */
async function writeStudy(): Promise<string> {
  const model = writeTinyModel(join(folder, "model"));
  const data = await writeFilms(join(folder, "films"));
  const reward = join(folder, "slow.mjs");
  writeFileSync(
    reward,
    `let asked = 0;
    export default ({ fails = false }) => ({ range: [0, 1], score: async (example, all) => {
      await new Promise((resolve) => setTimeout(resolve, Number(process.env.VIVA_TEST_PAUSE_MS ?? 0)));
      if (fails && ++asked > 6) throw new Error("no such thing");
      return all.map(({ text }) => Number(text.length % 2));
    } });`,
  );
  const { name: _, seed: __, ...plain } = tinyRecipe({ model, data });
  const { filter_groups: ___, ...grpo } = plain.stages[1] as Record<string, unknown>;
  const stage = {
    ...grpo,
    steps: 20,
    num_iterations: 1,
    rewards: { accuracy: 1, slow: { weight: 0.5, module: reward } },
  };
  const study = {
    name: "grid",
    seeds: [1, 2],
    reference: "plain",
    base: { ...plain, engine: { threads: 1 }, stages: [stage], evaluate: { every: 6 }, checkpoint: { every: 3 } },
    arms: [
      { name: "plain" },
      { name: "fails", set: { "stages.0.rewards.slow.fails": true } },
      { name: "quick", set: { "stages.0.learning_rate": 0.01 } },
      { name: "near", set: { "stages.0.beta": 0.2 } },
    ],
  };
  const file = join(folder, "study.yaml");
  writeFileSync(file, stringify(study));
  return file;
}

/** What of a study's results does not depend on when it ran. */
function timeless(text: string): unknown {
  return JSON.parse(text, (key, value) => (["created", "seconds", "cost"].includes(key) ? null : value));
}

/** A run's record without times. */
function recordOf(run: string) {
  const metrics = jsonLines(run, "metrics.jsonl").map((line) =>
    Object.fromEntries(Object.entries(line).filter(([key]) => !/^(time|throughput|memory)\//.test(key))),
  );
  const whole = (file: string) => [file, readFileSync(join(run, file)).toString("base64")];
  const weights = filesBelow(run).filter((file) =>
    /^checkpoints\/step-000020\/.*\.safetensors$|^rollouts\//.test(file),
  );
  expect(weights.filter((file) => file.endsWith(".safetensors")).length).toBeGreaterThan(0);
  return {
    metrics,
    rollouts: jsonLines(run, "rollouts.jsonl"),
    evals: jsonLines(run, "evals.jsonl"),
    files: weights.map(whole),
  };
}

await describeWithPython("a study on Ray", needs, ({ bin }) => {
  it("ends as on one machine, though a node, the head and a run fail on the way", {
    timeout: 30 * 60_000,
  }, async () => {
    const study = await writeStudy();
    const local = join(folder, "local");
    const alone = await viva(folder, "study", study, "--run", local, "--json");
    expect([alone.code, alone.stderr]).toEqual([1, expect.stringMatching(/2 of 8 runs failed/)]);

    const remote = join(folder, "remote");
    const temporary = mkdtempSync(join(tmpdir(), "vr-"));
    const driver = join(import.meta.dirname, "ray-driver.mjs");
    const main = join(inject("built"), "dist/cli/main.js");
    const inside = ["-n", "-p", "--fork", "--mount-proc", "--kill-child", process.execPath, driver];
    const { stdout } = await promisify(execFile)("unshare", [...inside, bin("ray"), main, study, remote, temporary], {
      maxBuffer: 1e8,
    });
    const found = JSON.parse(stdout.trim().split("\n").at(-1)!);
    console.log(found.said.join("\n"));
    expect(found).toMatchObject({ code: 1, twice: [], left: [] });
    expect(timeless(readFileSync(join(remote, "study.json"), "utf8"))).toEqual(
      timeless(readFileSync(join(local, "study.json"), "utf8")),
    );
    const runs = ["plain", "quick", "near"].flatMap((arm) => [1, 2].map((seed) => `runs/${arm}-seed${seed}`));
    for (const run of runs) expect(recordOf(join(remote, run)), run).toEqual(recordOf(join(local, run)));
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  });
});
