/** viva check --sample: what each reward says, and nothing left behind. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkSchema } from "../../src/pipeline/check-schema.ts";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const plain = () => tinyRecipe({ model: join(folder, "model"), data: join(folder, "films") });
const rewards = { accuracy: 1, form: { weight: 0.5, reward: "format", style: "answer_only" }, ecr: 0.1 };
const files = () => readdirSync(folder).sort();
let before: readonly string[];

beforeAll(async () => {
  writeTinyModel(join(folder, "model"));
  await writeFilms(join(folder, "films"));
  const [sft, grpo] = plain().stages;
  const { steps: _, prompts_per_step: __, beta, ...generation } = grpo as Record<string, unknown>;
  const sampled = ["num_generations", "max_completion_length"].map((key) => [key, generation[key]] as const);
  const dpo = { kind: "dpo", steps: 2, beta, rollouts: { ...Object.fromEntries(sampled), rewards } };
  writeRecipe(join(folder, "two.yaml"), { ...plain(), stages: [sft, { ...grpo, rewards }, dpo] });
  writeRecipe(join(folder, "grpo.yaml"), { ...plain(), stages: [{ ...grpo, rewards }] });
  writeRecipe(join(folder, "sft.yaml"), { ...plain(), stages: [sft] });
  await vivaOk(folder, "train", "sft.yaml", "--run", "run", "--quiet", "--no-report");
  before = files();
});

describe("viva check --sample", () => {
  it("prints every completion of every sampling stage with rewards, advantage and answer, and sums up", async () => {
    const { stdout } = await vivaOk(folder, "check", "two.yaml", "--sample", "3", "--json");
    const found = JSON.parse(stdout);
    expect(() => checkSchema.parse(found)).not.toThrow();
    const { policy, stages } = found.samples;
    expect([found.recipe, policy]).toEqual(["tiny", "random weights"]);
    expect(stages.map(({ stage, kind }: { stage: number; kind: string }) => [stage, kind])).toEqual([
      [1, "grpo"],
      [2, "dpo"],
    ]);
    for (const { kind, groups, summary, warnings } of stages) {
      expect(groups).toHaveLength(3);
      // biome-ignore lint/suspicious/noExplicitAny: lines as JSON has them
      const completions = groups.flatMap((group: any) => group.completions);
      expect(completions).toHaveLength(12);
      for (const name of Object.keys(rewards)) {
        const values: number[] = completions.map(
          (completion: { rewards: object }) => completion.rewards[name as never],
        );
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        expect(summary[name].mean).toBeCloseTo(mean, 12);
        expect(summary[name].zero_fraction).toBe(values.filter((value) => value === 0).length / values.length);
      }
      for (const group of groups) {
        const advantages: number[] = group.completions.map(({ advantage }: { advantage: number }) => advantage);
        if (kind === "dpo") expect(advantages.filter((value) => value !== 0).length % 2).toBe(0);
        expect(Math.abs(advantages.reduce((a, b) => a + b, 0))).toBeLessThan(1e-9);
      }
      const form = warnings.find(({ reward }: { reward: string }) => reward === "form"); // 4 tokens hold no tags
      expect(form.hint).toMatch(/^The stages before this one have not run yet/);
    }
    expect(files()).toEqual(before);
  });

  it("shows the draws that the run will make", async () => {
    const { stdout } = await vivaOk(folder, "check", "grpo.yaml", "--sample", "2", "--json");
    await vivaOk(
      folder,
      "train",
      "grpo.yaml",
      "--run",
      "real",
      "--quiet",
      "--no-report",
      "--set",
      "stages.0.filter_groups=null",
    );
    const first = jsonLines(folder, "real", "rollouts.jsonl").filter(({ step }) => step === 1);
    expect(JSON.parse(stdout).samples.stages[0].groups).toEqual(first);
    before = files();
  });

  it("samples from a run's checkpoint", async () => {
    const args = ["check", "grpo.yaml", "--sample", "2", "--json"];
    const own = JSON.parse((await vivaOk(folder, ...args)).stdout).samples;
    const trained = JSON.parse((await vivaOk(folder, ...args, "--checkpoint", "run")).stdout).samples;
    expect(trained.policy).toMatch(/run\/checkpoints\/step-000004$/);
    const texts = (result: typeof own) => JSON.stringify(result.stages[0].groups);
    expect(texts(trained)).not.toBe(texts(own));
  });

  it("is readable, and says what to do about a reward that is stuck", async () => {
    const { stdout } = await vivaOk(folder, "check", "grpo.yaml", "--sample", "1");
    expect(stdout).toMatch(/^stage 0, grpo: 1 questions, 4 completions each, from random weights$/m);
    expect(stdout).toMatch(
      /^film-\d+: .*\nreference: (yes|no)\n {2}accuracy +form +ecr +sum +advantage +tokens +answer/m,
    );
    expect(stdout).toMatch(/^ {2}reward +weight +mean +spread +least +most +zero +null$/m);
    expect(stdout).toMatch(
      /^warning: form is 0 for all 4 completions: it would train nothing\. (?!The stages before).+/m,
    );
  });

  it.each([
    [["sft.yaml", "--sample", "1"], /no stage of the recipe samples/],
    [["grpo.yaml", "--checkpoint", "run"], /--checkpoint needs --sample/],
    [["grpo.yaml", "--sample", "-1"], /a whole number of at least 0/],
    [["--sample", "1"], /missing required argument 'recipe'/],
    [["grpo.yaml", "--sample", "1", "--checkpoint", "nowhere"], /nowhere: there is no such run or checkpoint/],
    [["grpo.yaml", "--sample", "1", "--checkpoint", "model"], /does not fit the recipe: .*no training state/],
  ])("refuses %j", async (args, message) => {
    const refused = await viva(folder, "check", ...args);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(files()).toEqual(before);
  });
});
