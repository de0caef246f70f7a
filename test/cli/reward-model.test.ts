/** Reward models: trained on pairs, exact after a kill; asked as a reward by a run that is too; pairs from that run's record. */
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPairs } from "../../src/session/pairs.ts";
import { annotate } from "../../src/ui/annotations.ts";
import { interrupted, jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { readRecord } from "./record.ts";
import { type Row, tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const data = join(folder, "films");
const optimiser = { learning_rate: 0.003, lr_scheduler_type: "constant" };
const record = (run: string) => readRecord(join(folder, run));
/** Each test here starts several processes one after the other. */
const PATIENCE = 300_000;
const quiet = ["--no-report", "--quiet"];

beforeAll(async () => {
  await writeFilms(data);
  const rows = jsonLines(data, "train.jsonl").map((row: Row): Row => {
    const other = row["answer"] === "yes" ? "no" : "yes";
    return { ...row, chosen: `it is ${row["answer"]}`, rejected: `it is not so but ${other}` };
  });
  rows[3] = { ...rows[3], rejected: "maybe" };
  writeRows(join(data, "pairs.jsonl"), rows);
  const recipe = tinyRecipe({ model: writeTinyModel(join(folder, "model")), data });
  const pairs = { batch_size: 4, pairs: join(data, "pairs.jsonl"), ...optimiser };
  const stages = [
    { kind: "reward_model", epochs: 3, center: 0.01, ...pairs },
    { kind: "rc_reward_model", steps: 3, ...pairs, lr_scheduler_type: "constant" },
  ];
  writeRecipe(join(folder, "rm.yaml"), { ...recipe, stages, evaluate: null, checkpoint: { every: 2 } });
  const grpo = { ...recipe.stages[1], rewards: { reward_model: { path: "rm" }, accuracy: 0 } };
  writeRecipe(join(folder, "grpo.yaml"), { ...recipe, stages: [recipe.stages[0], grpo], evaluate: null });
  await vivaOk(folder, "train", "rm.yaml", "--run", "rm", ...quiet);
  await vivaOk(folder, "train", "grpo.yaml", "--run", "whole", ...quiet);
}, PATIENCE);

function lines(run: string): number {
  const file = join(folder, run, "metrics.jsonl");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
}

/** The run killed after each of these steps and resumed, to its end. */
async function broken(recipe: string, run: string, steps: readonly number[]): Promise<void> {
  for (const step of steps) {
    const args = lines(run) > 0 ? ["--resume"] : [recipe];
    const when = () => lines(run) >= step;
    await interrupted(folder, ["train", ...args, "--run", run, ...quiet], { signal: "SIGKILL", when });
  }
  await vivaOk(folder, "train", "--run", run, "--resume", ...quiet);
}

describe("a reward model", () => {
  it("learns which text was preferred, and leaves out a pair too short for limits of length", () => {
    const { metrics, events } = record("rm");
    expect(metrics.map(({ stage }) => stage)).toEqual([
      ...Array(9).fill("reward_model"),
      ...Array(3).fill("rc_reward_model"),
    ]);
    const margins = metrics.slice(6, 9).map((step) => Number(step["preference/margin"]));
    expect(Math.min(...margins)).toBeGreaterThan(0);
    expect(metrics[9]!["preference/reward_chosen_violated"]).toBeTypeOf("number");
    const skipped = events.filter(({ event }) => event === "example_skipped");
    expect(skipped.map(({ example_id, reason }) => [example_id, /fewer than 3 words/.test(reason)])).toEqual([
      ["film-3", true],
    ]);
    const config = JSON.parse(readFileSync(join(folder, "rm/checkpoints/step-000012/config.json"), "utf8"));
    expect(config).toMatchObject({ architectures: [expect.stringMatching(/ForSequenceClassification$/)] });
  });

  it("killed and resumed, equals one never stopped", { timeout: PATIENCE }, async () => {
    await broken("rm.yaml", "rm-broken", [1, 10]);
    expect(record("rm-broken")).toEqual(record("rm"));
    const weights = (run: string) => readFileSync(join(folder, run, "checkpoints/step-000012/model.safetensors"));
    expect(weights("rm-broken").equals(weights("rm"))).toBe(true);
  });
});

describe("as a reward", () => {
  it("is told in units of the policy that the stage begins with, and belongs to the record", () => {
    const { events, rollouts } = record("whole");
    const [calibrated, ...others] = events.filter(({ event }) => event === "reward_calibrated");
    expect(others).toEqual([]);
    expect(calibrated).toMatchObject({ step: 5, stage: "grpo", reward: "reward_model" });
    expect(calibrated.measured.std).toBeGreaterThan(0);
    const state = JSON.parse(readFileSync(join(folder, "whole/checkpoints/step-000008/state.json"), "utf8"));
    expect(state.rewards).toEqual([{}, { reward_model: calibrated.measured }]);
    const values = rollouts.flatMap(({ completions }) =>
      completions.map(({ rewards }: { rewards: Record<string, number> }) => rewards["reward_model"]!),
    );
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0);
    expect(Math.max(...values.map(Math.abs))).toBeLessThan(20);
    const recipe = readFileSync(join(folder, "whole/recipe.yaml"), "utf8");
    expect(recipe).toMatch(/^# stage_1_reward_model_sha256: [0-9a-f]{64}$/m);
  });

  it("killed before and after its first checkpoint and resumed, equals a run never stopped", {
    timeout: PATIENCE,
  }, async () => {
    await broken("grpo.yaml", "broken", [5, 7]);
    expect(record("broken")).toEqual(record("whole"));
  });

  it("refuses a model without a score head", async () => {
    const set = ["--set", `stages.1.rewards.reward_model.path=${join(folder, "whole")}`];
    const { code, stderr } = await viva(folder, "train", "grpo.yaml", "--run", "none", ...set);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/has no score head: a stage of kind reward_model trains one/),
    ]);
  });
});

describe("viva pairs", () => {
  /** The record of the run with texts and values of our own: rising values, with a right answer first, last or nowhere. */
  const values = [-1, 0.25, 0.5, 2];
  const texts = [" ", "it is number 1", "it is number 2", "это номер 3"];
  beforeAll(() => {
    cpSync(join(folder, "whole"), join(folder, "made"), { recursive: true });
    const groups = jsonLines(folder, "whole/rollouts.jsonl").map((group, g) => ({
      ...group,
      completions: group.completions.map((completion: object, i: number) => ({
        ...completion,
        text: texts[i],
        rewards: { reward_model: values[i]!, accuracy: (g === 0 ? i === 1 : i === 3) ? 1 : 0 },
      })),
    }));
    writeRows(join(folder, "made/rollouts.jsonl"), groups);
  });

  const pairsBy = async (by: string, ...more: string[]) => {
    const { stdout } = await vivaOk(folder, "pairs", "made", "--by", by, "--out", `${by}.jsonl`, ...more);
    return { stdout, pairs: await loadPairs(join(folder, `${by}.jsonl`)) };
  };

  it("takes the best against the worst of what was said, never a worse answer first", async () => {
    const all = await pairsBy("reward_model", "--min-gap", "1.5");
    expect(all.pairs[0]).toMatchObject({ chosen: texts[3], rejected: texts[2] });
    const { pairs, stdout } = await pairsBy("reward_model", "--min-gap", "1.6");
    const groups = record("made").rollouts.length;
    expect(stdout).toContain(`of ${groups} groups 0 tied, 0 closer than --min-gap, 1 with the worse answer first`);
    expect(pairs.length).toBe(groups - 1);
    expect(new Set(pairs.map(({ chosen, rejected }) => `${chosen}, not ${rejected}`))).toEqual(
      new Set([`${texts[3]}, not ${texts[1]}`]),
    );
    expect(jsonLines(folder, "reward_model.jsonl").map(({ gap }) => gap)).toEqual(Array(groups - 1).fill(1.75));
    const { code, stderr } = await viva(folder, "pairs", "made", "--min-gap", "9", "--out", "none.jsonl");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/made: no pairs by reward; of \d+ groups/)]);
  });

  it("scores anew by a reward that the run did not record, with the data's own examples", async () => {
    const { pairs } = await pairsBy("english");
    // The text that is not English is the right one in all groups but the first.
    expect(pairs.map(({ chosen, rejected }) => [chosen, rejected])).toEqual([[texts[1], texts[3]]]);
    const unknown = await viva(folder, "pairs", "made", "--by", "acuracy", "--out", "x.jsonl");
    expect(unknown.stderr).toMatch(/--by acuracy: the run recorded reward, reward_model, accuracy, and viva has no/);
  });

  it("takes what people marked", async () => {
    const [group] = record("made").rollouts;
    const mark = (completion: number, answer: "right" | "wrong") => {
      const target = { run: "x", row: group!.id, completion, text: group!.completions[completion].text, repeat: false };
      const given = { answer, rationale: null, unsafe: false, better_than: null, note: "", spans: [], seconds: 1 };
      annotate(join(folder, "made/annotations"), "anna", target, given, { blind: true, withdrawn: false });
    };
    mark(1, "right");
    mark(2, "wrong");
    const { pairs } = await pairsBy("marks");
    expect(pairs.map(({ chosen, rejected }) => [chosen, rejected])).toEqual([["it is number 1", "it is number 2"]]);
  });
});
