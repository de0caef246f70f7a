/** A run whose format reward is stuck: the alarm fires once, in the record and on the terminal, resumed or not. */
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { readRecord } from "./record.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
/** Everything else is made silent: eight completions a step of a model from random weights trouble many rules. */
const alarms = {
  ...{ zero_variance: null, truncated: null, reward_collapse: null, entropy_high: null, dominant_answer: null },
  reward_stuck: { window: 3, threshold: 0.8 },
};

function write(name: string, changes: object): void {
  const plain = tinyRecipe({ model: join(folder, "model"), data: join(folder, "films") });
  const [sft, grpo] = plain.stages;
  const stages = [
    { ...sft, steps: 2 },
    { ...grpo, steps: 6, filter_groups: null, rewards: { form: { reward: "format", style: "answer_only" }, ecr: 1 } },
  ];
  writeRecipe(join(folder, name), {
    ...plain,
    stages,
    evaluate: null,
    checkpoint: { every: 2, keep: null },
    ...changes,
  });
}

const ofAlarms = (run: string) => jsonLines(folder, run, "events.jsonl").filter(({ event }) => /alarm/.test(event));

beforeAll(async () => {
  writeTinyModel(join(folder, "model"));
  await writeFilms(join(folder, "films"));
  write("stuck.yaml", { alarms });
  write("silent.yaml", { alarms: null });
  write("stop.yaml", { alarms: { ...alarms, on_alarm: "stop" } });
});

describe("a reward that is stuck", () => {
  it("fires once, with its numbers, where to look and what to do", async () => {
    const { stderr } = await vivaOk(folder, "train", "stuck.yaml", "--run", "stuck", "--no-report");
    const warning =
      /^warning: step 5: alarm reward_stuck \(form\): form was 0 for 100 % of the 24 completions of the last 3 steps\. .+$/gm;
    expect(stderr.match(warning)).toHaveLength(1);
    expect(ofAlarms("stuck")).toEqual([
      {
        ...{ event: "alarm", step: 5, stage: "grpo", rule: "reward_stuck", subject: "form" },
        ...{ threshold: 0.8, value: 1, window: 3 },
        evidence: ["5/0", "5/1", "4/0", "4/1", "3/0", "3/1"],
        message: expect.stringContaining("form was 0"),
        advice: expect.any(String),
      },
    ]);
  });

  it.each([4, 6])("fires exactly once in a run resumed after step %i", async (step) => {
    const run = `resumed-${step}`;
    cpSync(join(folder, "stuck"), join(folder, run), { recursive: true });
    for (const name of readdirSync(join(folder, run, "checkpoints"))) {
      if (Number(name.slice(5)) > step) rmSync(join(folder, run, "checkpoints", name), { recursive: true });
    }
    const { stdout } = await vivaOk(folder, "train", "--run", run, "--resume", "--no-report");
    expect(stdout).toContain(`resuming after step ${step}`);
    expect(readRecord(join(folder, run))).toEqual(readRecord(join(folder, "stuck")));
  });

  it("is not looked for where the recipe says alarms: null", async () => {
    const { stderr } = await vivaOk(folder, "train", "silent.yaml", "--run", "silent", "--no-report");
    expect([stderr, ofAlarms("silent")]).toEqual(["", []]);
  });

  it("stops the run where the recipe says so, which can go on", async () => {
    const stopped = await viva(folder, "train", "stop.yaml", "--run", "stop", "--no-report");
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain("stopped after step 5 by the alarm reward_stuck (alarms.on_alarm: stop)");
    expect(readdirSync(join(folder, "stop/checkpoints"))).toContain("step-000005");
    expect(jsonLines(folder, "stop", "events.jsonl").at(-1)).toMatchObject({ event: "error", step: 5 });
    await vivaOk(folder, "train", "--run", "stop", "--resume", "--no-report");
    expect(readRecord(join(folder, "stop")).rollouts).toEqual(readRecord(join(folder, "stuck")).rollouts);
    expect(ofAlarms("stop")).toEqual(ofAlarms("stuck"));
  }, 180_000); // two runs, on a machine that may be busy
});

it.each([
  ["alarms.reward_stuk=null", /unknown key alarms\.reward_stuk; did you mean reward_stuck\?/],
  ["alarms.kl_high.clear=2", /alarms\.kl_high\.clear must be at most threshold/],
  ["alarms.entropy_low={ threshold: 0.1, clear: 0.05 }", /alarms\.entropy_low\.clear must be at least threshold/],
  ["alarms.on_alarm=ring", /alarms\.on_alarm must be one of continue, stop/],
])("refuses %s", async (change, message) => {
  const refused = await viva(folder, "train", "stuck.yaml", "--run", "none", "--set", change);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(message)]);
});
