/** Preference training: pairs from a file and from rollouts, exact on resuming. */
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ScoredSample } from "../../src/train/collect.ts";
import { withRanks } from "../../src/train/pair-sources.ts";
import { interrupted, jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { readRecord } from "./record.ts";
import { type Row, tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const data = join(folder, "films");
const optimiser = { learning_rate: 0.003, lr_scheduler_type: "constant" };
const record = (run: string) => readRecord(join(folder, run));

beforeAll(async () => {
  await writeFilms(data);
  const films = jsonLines(data, "train.jsonl");
  const pairs = films.map((row: Row): Row => {
    return { ...row, chosen: row["answer"], rejected: row["answer"] === "yes" ? "no" : "yes" };
  });
  writeRows(join(data, "pairs.jsonl"), pairs);
  const recipe = tinyRecipe({ model: writeTinyModel(join(folder, "model")), data });
  const stages = [
    recipe.stages[0],
    { kind: "dpo", epochs: 2, batch_size: 4, beta: 0.5, pairs: join(data, "pairs.jsonl"), ...optimiser },
    {
      kind: "dpo",
      steps: 4,
      batch_size: 4,
      rollouts: { num_generations: 4, max_completion_length: 4, rewards: { accuracy: 1 } },
      ...optimiser,
    },
  ];
  writeRecipe(join(folder, "dpo.yaml"), { ...recipe, stages, checkpoint: { every: 3 } });
  await vivaOk(folder, "train", "dpo.yaml", "--run", "whole", "--no-report");
});

describe("pairs of completions", () => {
  const sample = (reward: readonly number[], right: readonly number[]) =>
    ({ reward, rewards: { accuracy: right } }) as unknown as ScoredSample;
  const ranks = (choice: object) =>
    withRanks(
      [sample([0.9, 0.5, 0.2], [0, 1, 1]), sample([0.3, 0.2, 0.2], [1, 1, 1])],
      { index: 0, step: 1 },
      choice,
    ).map(({ advantages }) => advantages);

  it("are the best and the worst, by min_gap apart and never a worse answer first", () => {
    expect(ranks({})).toEqual([
      [1, 0, -1],
      [1, -1, 0],
    ]);
    expect(ranks({ min_gap: 0.2, correct: "accuracy" })).toEqual([
      [0, 1, -1],
      [0, 0, 0],
    ]);
  });
});

describe("a run", () => {
  it("widens the margins of given pairs: from ln 2, two passes over twelve pairs", () => {
    const steps = record("whole").metrics.slice(4, 10);
    expect(steps.map(({ stage }) => stage)).toEqual(Array(6).fill("dpo"));
    expect(steps[0]!["loss"]).toBeCloseTo(Math.LN2, 5);
    expect(steps[0]!["preference/margin"]).toBeCloseTo(0, 5);
    expect(steps.at(-1)!["preference/margin"]).toBeGreaterThan(0);
    expect(steps.at(-1)!["loss"]).toBeLessThan(Math.LN2);
    for (const step of steps) {
      expect(step["preference/pairs"]).toBe(4);
      const margin = Number(step["preference/reward_chosen"]) - Number(step["preference/reward_rejected"]);
      expect(margin).toBeCloseTo(Number(step["preference/margin"]), 9);
    }
  });

  it("pairs the best with the worst of its own completions, and counts ties", () => {
    const { metrics, rollouts } = record("whole");
    const steps = metrics.slice(10);
    expect(steps.length).toBe(4);
    expect(steps[0]!["loss"]).toBeCloseTo(steps[0]!["preference/pairs"] === 0 ? 0 : Math.LN2, 5);
    for (const step of steps) {
      const groups = rollouts.filter((group) => group.step === step["step"]);
      expect(groups.length).toBe(4);
      let pairs = 0;
      for (const { completions } of groups) {
        const rewards = completions.map(({ reward }: { reward: number }) => reward);
        const advantages = completions.map(({ advantage }: { advantage: number }) => advantage);
        const tied = rewards.every((reward: number) => reward === rewards[0]);
        if (!tied) pairs++;
        expect([...advantages].sort()).toEqual(tied ? [0, 0, 0, 0] : [-1, 0, 0, 1]);
        if (!tied) expect(rewards[advantages.indexOf(1)]).toBe(Math.max(...rewards));
        if (!tied) expect(rewards[advantages.indexOf(-1)]).toBe(Math.min(...rewards));
      }
      expect([step["preference/pairs"], step["preference/ties"]]).toEqual([pairs, 4 - pairs]);
    }
    expect(steps.some((step) => Number(step["preference/pairs"]) > 0)).toBe(true);
  });

  it("killed in either stage and resumed, equals one never stopped", async () => {
    const lines = (run: string) => {
      try {
        return readFileSync(join(folder, run, "metrics.jsonl"), "utf8").split("\n").length - 1;
      } catch {
        return 0;
      }
    };
    for (const step of [8, 13]) {
      const args = lines("broken") > 0 ? ["--resume"] : ["dpo.yaml"];
      const when = () => lines("broken") >= step;
      await interrupted(folder, ["train", ...args, "--run", "broken", "--no-report"], { signal: "SIGKILL", when });
    }
    await vivaOk(folder, "train", "--run", "broken", "--resume", "--no-report");
    expect(record("broken")).toEqual(record("whole"));
    for (const file of ["model.safetensors", "optimizer.safetensors", "reference.safetensors"]) {
      const read = (run: string) => readFileSync(join(folder, run, "checkpoints/step-000014", file));
      expect(read("broken").equals(read("whole")), file).toBe(true);
    }
  });
});

it.each([
  [{ chosen: "yes" }, /pairs\.jsonl: "film-0" has no "rejected": each row needs chosen and rejected, two texts/],
  [{ chosen: "yes", rejected: "yes" }, /"film-0": chosen and rejected are the same text, which prefers nothing/],
])("refuses a pair like %j", async (fields, message) => {
  const bad = await writeFilms(join(folder, `bad-${Object.keys(fields).length}`));
  const [film] = jsonLines(bad, "train.jsonl");
  writeRows(join(bad, "pairs.jsonl"), [{ ...film, ...fields }]);
  const recipe = tinyRecipe({ model: join(folder, "model"), data });
  const stages = [{ kind: "dpo", steps: 1, pairs: join(bad, "pairs.jsonl") }];
  writeRecipe(join(folder, "bad.yaml"), { ...recipe, stages });
  const { code, stderr } = await viva(folder, "train", "bad.yaml", "--run", "refused");
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});

/** Corrupted images and limits of length are drawn anew for every pair and pass; values of tokens have a second adapter. */
it.each(["pairs", "soft_q"])("%s: a run that goes on after its first step equals one never stopped", async (name) => {
  const texts = jsonLines(data, "pairs.jsonl").map((row: Row): Row => {
    return { ...row, chosen: `it is surely ${row["chosen"]}`, rejected: `it is ${row["rejected"]} here` };
  });
  writeRows(join(data, "texts.jsonl"), texts);
  const recipe = tinyRecipe({ model: join(folder, "model"), data });
  const pairs = { steps: 2, batch_size: 4, pairs: join(data, "texts.jsonl"), ...optimiser, warmup_steps: 0 };
  const rollout = { prompts_per_step: 2, num_generations: 4, max_completion_length: 4, rewards: { accuracy: 1 } };
  const changes = {
    pairs: {
      stages: [
        { kind: "mdpo", ...pairs },
        { kind: "rc_dpo", ...pairs },
      ],
    },
    soft_q: {
      model: { path: join(folder, "whole/checkpoints/step-000014"), lora: { r: 4 } },
      stages: [{ kind: "soft_q", steps: 3, ...rollout, ...optimiser, polyak: 0.5 }],
    },
  };
  const whole = { ...recipe, ...changes[name as keyof typeof changes], evaluate: null };
  writeRecipe(join(folder, `${name}.yaml`), { ...whole, checkpoint: { every: 1, keep: 9 } });
  await vivaOk(folder, "train", `${name}.yaml`, "--run", name, "--no-report", "--quiet");
  cpSync(join(folder, name), join(folder, `${name}-again`), { recursive: true });
  for (const step of readdirSync(join(folder, name, "checkpoints"))) {
    if (step !== "step-000001") rmSync(join(folder, `${name}-again/checkpoints`, step), { recursive: true });
  }
  await vivaOk(folder, "train", "--run", `${name}-again`, "--resume", "--no-report", "--quiet");
  expect(record(`${name}-again`)).toEqual(record(name));
});
