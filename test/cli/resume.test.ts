import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { train } from "../../src/library/train.ts";
import type { RunObserver } from "../../src/pipeline/observers/observer.ts";
import { filesBelow, interrupted, jsonLines, start, temporaryFolder, viva, vivaApart, vivaOk } from "./command-line.ts";
import { readRecord } from "./record.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const model = join(folder, "model");
const data = join(folder, "films");
const at = (run: string, ...path: string[]) => join(folder, run, ...path);
const record = (run: string) => readRecord(at(run));
const resume = (run: string) => viva(folder, "train", "--run", run, "--resume", "--no-report");
const sidecars = (run: string) =>
  Object.fromEntries(
    readdirSync(at(run, "rollouts")).map((name) => [name, readFileSync(at(run, "rollouts", name), "utf8")]),
  );

/** Lines that a stream of a run has so far. */
const lines = (run: string, stream: string) =>
  existsSync(at(run, stream)) ? readFileSync(at(run, stream), "utf8").split("\n").length - 1 : 0;

/** Starts the run, or goes on with it, and kills it at a moment (a run may end before); what it left half-written. */
async function killed(run: string, when: () => boolean, delay = 0): Promise<readonly string[]> {
  const args = existsSync(at(run, "recipe.yaml")) ? ["--resume"] : ["tiny.yaml"];
  const ended = await interrupted(folder, ["train", ...args, "--run", run, "--no-report"], {
    signal: "SIGKILL",
    when,
    delay,
  });
  expect(ended.signal === "SIGKILL" || ended.code === 0, ended.stderr).toBe(true);
  const checkpoints = at(run, "checkpoints");
  return existsSync(checkpoints) ? readdirSync(checkpoints).filter((name) => name.startsWith(".tmp-")) : [];
}

/** Goes on with a run while something is changed; `change` gives what undoes it. */
async function changed(run: string, change: () => () => void) {
  const undo = change();
  try {
    return await resume(run);
  } finally {
    undo();
  }
}

/** Everything a reader sees of a run equals the run that was never stopped. */
function expectUnbroken(run: string): void {
  expect(record(run)).toEqual(record("whole"));
  expect(sidecars(run)).toEqual(sidecars("whole"));
  expect(readdirSync(at(run, "checkpoints")).sort()).toEqual(["step-000004", "step-000006", "step-000008"]);
  for (const name of ["model.safetensors", "optimizer.safetensors", "reference.safetensors", "checksums.json"]) {
    const read = (of: string) => readFileSync(at(of, "checkpoints/step-000008", name));
    expect(read(run).equals(read("whole")), name).toBe(true);
  }
}

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(data);
  writeRecipe(join(folder, "tiny.yaml"), tinyRecipe({ model, data }));
  // A kill came before this run had its recipe; it is whole all the same, as those killed later are compared with it.
  mkdirSync(at("whole"));
  writeFileSync(at("whole", "environment.json"), "{}");
  writeFileSync(at("whole", "recipe.yaml.tmp"), "name: ti");
  await vivaOk(folder, "train", "tiny.yaml", "--run", "whole", "--no-report");
});

describe("a killed run, resumed", () => {
  it("equals one never stopped, killed while checkpoints were written", async () => {
    const left: string[] = [];
    for (const step of ["step-000002", "step-000006", "step-000008"]) {
      left.push(...(await killed("checkpoints", () => existsSync(at("checkpoints", "checkpoints", `.tmp-${step}`)))));
    }
    expect(left.length, "half-written checkpoints that the kills left").toBeGreaterThan(0);
    expect((await resume("checkpoints")).code).toBe(0);
    expectUnbroken("checkpoints");
  });

  it("equals one never stopped, killed between and within steps and evaluations", async () => {
    await killed("steps", () => lines("steps", "evals.jsonl") > 0); // before the first step
    await killed("steps", () => lines("steps", "metrics.jsonl") === 3); // before or in an evaluation
    await killed("steps", () => lines("steps", "rollouts.jsonl") === 3); // in the second stage
    expect((await resume("steps")).code).toBe(0);
    expectUnbroken("steps");
  });

  it("equals one never stopped, killed at random moments until it is finished", async () => {
    const delays = Array.from({ length: 3 }, () => Math.round(500 * Math.random()));
    console.log(`killed ${delays.join(", ")} ms after the run folder was locked`);
    for (const delay of delays) await killed("random", () => existsSync(at("random", ".lock")), delay);
    const args = existsSync(at("random", "recipe.yaml")) ? ["--resume"] : ["tiny.yaml"];
    await vivaOk(folder, "train", ...args, "--run", "random", "--no-report");
    expectUnbroken("random");
  });

  it("starts again from the beginning when there was no checkpoint yet", async () => {
    await killed("early", () => lines("early", "metrics.jsonl") > 0);
    rmSync(at("early", "checkpoints"), { recursive: true, force: true });
    const { code, stdout } = await resume("early");
    expect(code).toBe(0);
    expect(stdout).toContain("no checkpoint yet: starting from the beginning");
    expectUnbroken("early");
  });
});

describe("checkpoints that cannot be trusted", () => {
  it("passes over a damaged newest one with a warning, and over a half-written one without a word", async () => {
    cpSync(at("whole"), at("damaged"), { recursive: true });
    const weights = at("damaged", "checkpoints/step-000008/model.safetensors");
    const bytes = readFileSync(weights);
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(weights, bytes);
    mkdirSync(at("damaged", "checkpoints/.tmp-step-000010"));
    cpSync(
      at("whole", "checkpoints/step-000006/model.safetensors"),
      at("damaged", "checkpoints/.tmp-step-000010/model.safetensors"),
    );
    const { code, stderr, stdout } = await resume("damaged");
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^warning: \S+step-000008 is damaged and skipped: model\.safetensors does not match its checksum\n$/,
    );
    expect(stdout).toContain("resuming after step 6");
    expectUnbroken("damaged");
  });
});

describe("--resume", () => {
  it("changes nothing in a finished run, its own recipe named or not", async () => {
    cpSync(at("whole"), at("finished"), { recursive: true });
    expect((await resume("finished")).code).toBe(0);
    await vivaOk(folder, "train", "tiny.yaml", "--run", "finished", "--resume", "--no-report");
    expectUnbroken("finished");
    expect(filesBelow(at("finished"))).toEqual(filesBelow(at("whole")));
  });

  it.each([
    ["another recipe", ["tiny.yaml", "--set", "stages.0.steps=5", "--run", "whole", "--resume"]],
    ["changes without a recipe", ["--set", "seed=8", "--run", "whole", "--resume"]],
    ["a run that is not there", ["--run", "nowhere", "--resume"]],
    ["no run", ["tiny.yaml", "--resume"]],
  ])("refuses %s", async (_, args) => {
    const { code, stderr } = await viva(folder, "train", ...args);
    expect(stderr).toMatch(/^error: .+\n$/);
    expect(code).toBe(2);
    expectUnbroken("whole");
    expect(existsSync(at("nowhere"))).toBe(false);
  });

  it("gives a finished run more steps of its last stage, as if it had been started with them", async () => {
    cpSync(at("whole"), at("longer"), { recursive: true });
    const more = ["--no-report", "--set", "stages.1.steps=6"];
    await vivaOk(folder, "train", "--run", "longer", "--resume", ...more);
    await vivaOk(folder, "train", "tiny.yaml", "--run", "long", ...more);
    const weights = (run: string) => readFileSync(at(run, "checkpoints/step-000010/model.safetensors"));
    expect(weights("longer").equals(weights("long"))).toBe(true);
    const metrics = (run: string) => jsonLines(at(run), "metrics.jsonl").map((line) => line["loss"]);
    expect(metrics("longer")).toEqual(metrics("long"));
    expect(readFileSync(at("longer", "recipe.yaml"), "utf8")).toBe(readFileSync(at("long", "recipe.yaml"), "utf8"));
    const extended = jsonLines(at("longer"), "events.jsonl").filter(({ event }) => event === "extended");
    expect(extended).toMatchObject([{ step: 8, key: "stages.1.steps", from: 4, to: 6 }]);
    const { code, stderr } = await viva(folder, "train", "--run", "longer", "--resume", "--set", "stages.1.beta=0.9");
    expect([code, stderr]).toEqual([2, expect.stringContaining("stages.1.beta: a run keeps its recipe")]);
  });

  it("refuses a run whose answers or images have changed, and says which", async () => {
    cpSync(at("whole"), at("data"), { recursive: true });
    const { code, stderr } = await changed("data", () => {
      const rows = readFileSync(join(data, "train.jsonl"), "utf8");
      writeFileSync(join(data, "train.jsonl"), rows.replace('"answer":"yes"', '"answer":"no"'));
      return () => writeFileSync(join(data, "train.jsonl"), rows);
    });
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/data.train \(train_sha256\) changed since the run began/),
    ]);
    const image = join(data, "images/13.jpg");
    const film = readFileSync(image);
    const other = await changed("data", () => {
      cpSync(join(data, "images/12.jpg"), image);
      return () => writeFileSync(image, film);
    });
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/data.eval \(eval_sha256\) changed/)]);
    expect(record("data")).toEqual(record("whole"));
    expect((await resume("data")).code).toBe(0);
  });

  it("refuses a run whose record has a hole, says where, and changes nothing", async () => {
    cpSync(at("whole"), at("hole"), { recursive: true });
    rmSync(at("hole", "checkpoints/step-000008"), { recursive: true });
    const drop = (lines: string[]) => lines.filter((_, i) => i !== 1);
    const damages: readonly [name: string, mend: (lines: string[]) => string[] | null, said: RegExp][] = [
      ["metrics.jsonl", drop, /metrics\.jsonl has 5 rows up to step 6 in place of 6/],
      ["rollouts.jsonl", () => null, /rollouts\.jsonl has 0 rows up to step 6 in place of \d+/],
      ["evals.jsonl", drop, /evals\.jsonl has \d+ rows/],
      ["events.jsonl", () => [""], /events\.jsonl has 0 rows/],
      ["rollouts/step-000006.jsonl", () => null, /rollouts.step-000006\.jsonl is missing or cut short/],
      ["rollouts/step-000006.jsonl", ([first]) => [first!.slice(0, 9)], /step-000006\.jsonl is missing or cut short/],
      ["environment.json", () => null, /environment\.json: there is no such file/],
      ["environment.json", () => ['{"created":'], /environment\.json: it is cut short/],
    ];
    for (const [name, change, said] of damages) {
      const { code, stderr } = await changed("hole", () => {
        const text = readFileSync(at("hole", name), "utf8");
        const left = change(text.split("\n"));
        if (left === null) rmSync(at("hole", name));
        else writeFileSync(at("hole", name), left.join("\n"));
        return () => writeFileSync(at("hole", name), text);
      });
      expect([code, stderr], name).toEqual([2, expect.stringMatching(said)]);
      expect(stderr).toMatch(/^error: .* the run's record has a hole: .*\(model\.path: \S+step-000006\)\n$/);
    }
    expect(record("hole")).toEqual(record("whole"));
    expect((await resume("hole")).code).toBe(0);
    expectUnbroken("hole");
  });

  it("refuses a run that another process is writing", async () => {
    cpSync(at("whole"), at("busy"), { recursive: true });
    const other = JSON.stringify({ pid: process.pid, host: hostname(), started: null });
    writeFileSync(at("busy", ".lock"), other);
    const { code, stderr } = await resume("busy");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*process \d+ .* is writing this run.*\n$/);
    expect(record("busy")).toEqual(record("whole"));
  });
});

describe("a run that is asked to stop", () => {
  it.each([
    ["Ctrl-C", "SIGINT", 130, 1],
    ["SIGTERM", "SIGTERM", 143, 5],
  ] as const)("saves its last step at %s, says how to go on, and loses nothing", async (name, signal, exit, steps) => {
    const run = `stopped by ${name}`;
    const o = { signal, when: () => lines(run, "metrics.jsonl") >= steps };
    const { code, stderr } = await interrupted(
      folder,
      ["train", "tiny.yaml", "--run", run, "--quiet", "--no-report"],
      o,
    );
    expect(code).toBe(exit);
    const step = jsonLines(at(run), "metrics.jsonl").at(-1).step;
    expect(step).toBeLessThan(8);
    expect(stderr.trim().split("\n")).toEqual([
      "stopping; press Ctrl-C again to stop at once",
      `warning: stopped; to go on after step ${step}: viva train --run '${at(run)}' --resume`,
    ]);
    expect(existsSync(at(run, ".lock"))).toBe(false);
    const saved = readdirSync(at(run, "checkpoints"));
    expect(saved).toContain(`step-00000${step}`);
    const resumed = await resume(run);
    expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringContaining(`resuming after step ${step}`)]);
    expectUnbroken(run);
  });

  it("makes up for an evaluation that was cut short", async () => {
    const stop = new AbortController();
    const observer: RunObserver = { step: ({ step }) => void (step === 3 && stop.abort()) };
    const o = { folder: at("cut"), observers: [observer], signal: stop.signal };
    await expect(train(join(folder, "tiny.yaml"), o)).rejects.toThrow(/abort/);
    const state = JSON.parse(readFileSync(at("cut", "checkpoints/step-000003/state.json"), "utf8"));
    expect(state).toMatchObject({ step: 3, evaluated: false });
    expect(jsonLines(at("cut"), "evals.jsonl").map(({ step }) => step)).not.toContain(3);
    expect((await resume("cut")).code).toBe(0);
    expectUnbroken("cut");
  });

  it("ends at once at a second Ctrl-C", async () => {
    const { child, finished } = start(folder, ["train", "tiny.yaml", "--run", "twice", "--quiet", "--no-report"]);
    const timer = setInterval(() => {
      if (lines("twice", "metrics.jsonl") === 0) return;
      clearInterval(timer);
      child.kill("SIGINT");
      child.kill("SIGTERM");
    }, 1);
    const { signal } = await finished;
    expect(["SIGINT", "SIGTERM"]).toContain(signal);
    expect((await resume("twice")).code).toBe(0);
    expectUnbroken("twice");
  });
});

describe("a reward that throws", () => {
  it("ends the run after a checkpoint of the step before, and the run goes on once it is mended", async () => {
    const module = join(folder, "reward.mjs");
    const score = "score: (example, all) => all.map(({ text }) => text.length % 2)";
    const good = `export default { ${score} };`;
    const recipe = tinyRecipe({ model, data });
    const [sft, grpo] = recipe.stages;
    writeRecipe(join(folder, "throws.yaml"), {
      ...recipe,
      stages: [sft, { ...grpo, filter_groups: null, rewards: { mine: { module } } }],
    });
    writeFileSync(module, good);
    await vivaOk(folder, "train", "throws.yaml", "--run", "good", "--quiet", "--no-report");
    writeFileSync(
      module,
      `let asked = 0; export default { ${score.replace("=>", "=> { if (++asked > 5) throw new Error('the scorer is gone'); return")} } };`,
    );
    const ended = await vivaApart(folder, "train", "throws.yaml", "--run", "throws", "--quiet", "--no-report");
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /^warning: stopped; to go on after step 6: viva train --run \S+throws --resume\nerror: reward "mine" of \S+ failed: the scorer is gone \(line 1\)\n$/,
    );
    writeFileSync(module, good);
    expect((await resume("throws")).code).toBe(0);
    expect(record("throws")).toEqual(record("good"));
    expect(readdirSync(at("throws", "checkpoints"))).toEqual(readdirSync(at("good", "checkpoints")));
  });
});

describe("checkpoints that stay", () => {
  it("are the newest, the end of every stage, and the best by evaluation, which the report names and compare reads", async () => {
    const recipe = tinyRecipe({ model, data });
    const change = { checkpoint: { every: 1, keep: 1, best: "accuracy" }, evaluate: { every: 1 } };
    writeRecipe(join(folder, "best.yaml"), { ...recipe, ...change });
    await vivaOk(folder, "train", "best.yaml", "--run", "best");
    const summaries = jsonLines(at("best"), "evals.jsonl").filter(({ kind, step }) => kind === "summary" && step > 0);
    const accuracies = summaries.map(({ subsets }) => subsets.overall.accuracy.estimate);
    const best = summaries[accuracies.indexOf(Math.max(...accuracies))].step;
    const wanted = [...new Set([best, 4, 8])].sort().map((step) => `step-00000${step}`);
    expect(readdirSync(at("best", "checkpoints")).sort()).toEqual(wanted);
    expect(readFileSync(at("best", "report.html"), "utf8")).toContain(`<code>checkpoints/step-00000${best}</code>`);
    // Step 5 has no checkpoint any more; its evaluation is in the record.
    const compared = JSON.parse((await vivaOk(folder, "compare", "best@5", "best@8", "--json")).stdout);
    expect([compared.reference, ...compared.arms]).toEqual(["best@5", "best@8"]);
    expect(compared.subsets[0].reference_accuracy.estimate).toBe(accuracies[4]);
    const lacking = await viva(folder, "compare", "best@5", "best@9");
    expect([lacking.code, lacking.stderr]).toEqual([
      2,
      expect.stringContaining("best has no evaluation after step 9; it has 0, 1,"),
    ]);
  });

  it("cannot be chosen without evaluations", async () => {
    const refused = await viva(
      folder,
      "train",
      "tiny.yaml",
      "--run",
      "none",
      "--set",
      "checkpoint.best=accuracy",
      "--set",
      "evaluate=null",
    );
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/checkpoint\.best needs evaluations to choose by/),
    ]);
  });
});

it("refuses adapters whose base model has changed, resumed or evaluated", async () => {
  const base = join(folder, "base");
  cpSync(at("whole", "checkpoints/step-000008"), base, { recursive: true });
  const { stages, model: _, ...recipe } = tinyRecipe({ model: base, data });
  const lora = { ...recipe, model: { path: base, lora: { r: 2 } }, stages: stages.slice(0, 1), evaluate: null };
  writeRecipe(join(folder, "lora.yaml"), lora);
  await vivaOk(folder, "train", "lora.yaml", "--run", "adapters", "--no-report");
  const weights = readFileSync(join(base, "model.safetensors"));
  weights[weights.length - 5]! ^= 1;
  writeFileSync(join(base, "model.safetensors"), weights);
  const evaluate = ["eval", "adapters", "--data", "jsonl", "--path", data, "--out", "items.jsonl"];
  for (const args of [["train", "--run", "adapters", "--resume"], evaluate]) {
    const { code, stderr } = await viva(folder, ...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/base model's files .* changed since the run began/)]);
  }
});
