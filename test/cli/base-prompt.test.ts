/** The base arm: a transcript that ends in an opened thought, which rewards, evaluation and record take for granted. */
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const data = join(folder, "films");
const rationale = "It is.";

beforeAll(async () => {
  await writeFilms(data, (row) => ({ ...row, rationale, answer: "yes" }));
  const recipe = tinyRecipe({ model: writeTinyModel(join(folder, "model")), data });
  const [sft, grpo] = recipe.stages;
  // One text for every film, which is learnt until next to nothing else is likely, whatever the rounding.
  const stages = [
    { ...sft, steps: 60, target: "rationale_answer", learning_rate: 0.005 },
    {
      ...grpo,
      steps: 1,
      learning_rate: 1e-5, // what the supervised steps have taught is still there after it
      max_completion_length: 48,
      num_iterations: 1,
      rewards: { format: 1, accuracy: { weight: 1, gate_by_format: true } },
    },
  ];
  writeRecipe(join(folder, "base.yaml"), { ...recipe, prompt: "base", stages, evaluate: { at_start: false } });
  await vivaOk(folder, "train", "base.yaml", "--run", "run", "--no-report");
});

it("teaches what follows the opened tag, and rewards it as a whole format", () => {
  const learnt = jsonLines(folder, "run", "metrics.jsonl").findLast(({ stage }) => stage === "sft");
  expect(learnt.loss).toBeLessThan(0.05);
  const rollouts = jsonLines(folder, "run", "rollouts.jsonl");
  expect(rollouts.length).toBe(2);
  for (const { prompt, completions } of rollouts) {
    expect(prompt).toMatch(
      /^A conversation between User and Assistant\. .*\nUser: .*\nAssistant: Let me .*\n<think>$/s,
    );
    for (const { text, rewards } of completions) {
      const whole = /^(?!.*<think>)[^<]*<\/think>\s*<answer>[^<]*<\/answer>$/s.test(text);
      expect(rewards.format, text).toBe(Number(whole));
    }
  }
  const formats = rollouts.flatMap(({ completions }) => completions.map((one: { rewards: object }) => one.rewards));
  expect(formats.some(({ format }) => format === 1)).toBe(true);
});

it("evaluates with the tag opened, in the run and from its checkpoint", async () => {
  const summaries = jsonLines(folder, "run", "evals.jsonl").filter(({ kind }) => kind === "summary");
  expect(summaries[0].subsets.overall.format_rate).toBe(1);
  const args = ["eval", "run", "--data", "jsonl", "--path", data, "--split", "test", "--out", "items.jsonl"];
  await vivaOk(folder, ...args);
  const items = jsonLines(folder, "items.jsonl").filter((line) => "prediction" in line);
  expect(items.length).toBe(4);
  for (const { format, prediction } of items) {
    expect(format, prediction).toBe(true);
    expect(prediction).not.toContain("<think>");
  }
});

it("wants a rationale for every example that is to be taught one, and a place for it", async () => {
  const bare = await writeFilms(join(folder, "bare"), (row, i) => (i < 10 ? { ...row, rationale } : row));
  const recipe = tinyRecipe({ model: join(folder, "model"), data: bare });
  const stages = [{ ...recipe.stages[0], target: "rationale_answer" }];
  writeRecipe(join(folder, "bare.yaml"), { ...recipe, stages });
  const refused = await viva(folder, "train", "bare.yaml", "--run", "none");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(
    'stages.0.target: rationale_answer needs a rationale for each example of data.train, and 2 of 12 have none ("film-10" first)',
  );
  const dropped = await viva(folder, "train", "bare.yaml", "--run", "none", "--set", "prompt=answer_only");
  expect([dropped.code, dropped.stderr]).toEqual([2, expect.stringContaining("no place in the prompt's style")]);
});
