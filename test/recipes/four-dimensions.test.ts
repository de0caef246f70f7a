/** The study that ships: valid, every dimension has its arms, and what they share is trained once. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { loadStudy } from "../../src/recipes/study/load.ts";
import { planRuns } from "../../src/recipes/study/plan.ts";

// Only the models' folders are looked for here, so they need no weights.
const folder = mkdtempSync(join(tmpdir(), "viva-four-dimensions-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ["studies", "assets/viva-tiny-base", "assets/viva-tiny-instruct"]) {
  mkdirSync(join(folder, name), { recursive: true });
}
const file = join(folder, "studies/four-dimensions.yaml");
copyFileSync(new URL("../../studies/four-dimensions.yaml", import.meta.url), file);

const study = loadStudy(file, { quick: false });
const of = (dimension: string) => study.arms.filter(({ dimensions }) => dimensions.includes(dimension));
const last = (name: string) => study.arms.find((arm) => arm.name === name)!.recipe.stages.at(-1)!;

it("has three seeds and the arms of the four dimensions and of the baselines", () => {
  expect(study.seeds).toHaveLength(3);
  const names = (dimension: string) => of(dimension).map(({ name }) => name);
  expect(names("initialisation")).toEqual(["init_base", "init_instruct", "init_sft", "init_lora"]);
  expect(names("semantic")).toEqual(["semantic_concepts", "semantic_facts"]);
  expect(names("length")).toEqual(["length_ecr", "length_cwr", "length_cosine", "length_soft_overlong"]);
  expect(names("baselines")).toEqual(["sft_cot", "untuned", "sft", "sft_lora", "dpo"]);
});

it("crosses averaging, scaling and the KL term", () => {
  const cells = ["grpo", ...of("bias").map(({ name }) => name)].map((name) => {
    const stage = last(name);
    return "loss_type" in stage ? `${stage.loss_type} ${stage.scale_rewards} ${stage.beta}` : stage.kind;
  });
  const crossed = [0, 0.04].flatMap((beta) =>
    ["grpo", "dr_grpo"].flatMap((loss) => ["group", "none"].map((scale) => `${loss} ${scale} ${beta}`)),
  );
  expect([...cells].sort()).toEqual([...crossed].sort());
});

it("changes nothing of the data, and answers the same questions with every seed", () => {
  for (const { recipe } of study.arms) expect(recipe.data).toEqual(study.arms[0]!.recipe.data);
  expect(study.arms[0]!.recipe.data.eval).toMatchObject({ limit: 500, seed: expect.any(Number) });
  expect(study.arms[0]!.recipe.evaluate!.limit).toBeNull();
});

it("trains the cold start once for each seed", () => {
  const runs = planRuns(study);
  expect(runs).toHaveLength(3 * study.arms.length);
  for (const seed of study.seeds) {
    const users = runs.filter(({ parent }) => parent === `runs/sft_cot-seed${seed}`);
    expect(users.map(({ arm }) => arm)).toEqual([
      "grpo",
      "dpo",
      ...["semantic", "length", "bias"].flatMap((name) => of(name).map((arm) => arm.name)),
    ]);
  }
});
