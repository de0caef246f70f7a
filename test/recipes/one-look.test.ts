/** The study that ships: valid, every dimension has its arms, and what they share is trained once. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { rolloutAlgorithms } from "../../src/algorithms/index.ts";
import { loadStudy } from "../../src/study/load.ts";
import { planRuns } from "../../src/study/plan.ts";

// Only the models' folders are looked for here, so they need no weights.
const folder = mkdtempSync(join(tmpdir(), "viva-one-look-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ["studies", "assets/viva-tiny-base", "assets/viva-tiny-instruct"]) {
  mkdirSync(join(folder, name), { recursive: true });
}
const file = join(folder, "studies/one-look.yaml");
copyFileSync(new URL("../../studies/one-look.yaml", import.meta.url), file);

const study = loadStudy(file, { quick: false });
const of = (dimension: string) => study.arms.filter(({ dimensions }) => dimensions.includes(dimension));
const last = (name: string) => study.arms.find((arm) => arm.name === name)!.recipe.stages.at(-1)!;
const rewardsOf = (name: string) => (last(name) as { readonly rewards: Readonly<Record<string, unknown>> }).rewards;

it("has three seeds and the arms of the four dimensions and of the baselines", () => {
  expect(study.seeds).toHaveLength(3);
  const names = (dimension: string) => of(dimension).map(({ name }) => name);
  expect(names("initialisation")).toEqual(["init_base", "init_sft", "init_sft_cot", "init_lora"]);
  expect(names("semantic")).toEqual(["semantic_concepts", "semantic_facts", "dr_grpo_semantic"]);
  const lengths = ["ecr", "cwr", "cosine", "kimi", "soft_overlong"].map((reward) => `length_${reward}`);
  expect(names("length")).toEqual(lengths);
  expect(names("baselines")).toEqual(["untuned", "sft", "sft_lora", "sft_cot", "dpo"]);
  const kinds = of("algorithm").map(({ recipe }) => recipe.stages[0]!.kind);
  expect([...kinds].sort()).toEqual(Object.keys(rolloutAlgorithms).sort());
});

it("crosses averaging, scaling and the KL term", () => {
  const names = of("bias").flatMap(({ name, dimensions }) => (dimensions.includes("semantic") ? [] : [name]));
  const cells = ["grpo", ...names].map((name) => {
    const stage = last(name);
    return "loss_type" in stage ? `${stage.loss_type} ${stage.scale_rewards} ${stage.beta}` : stage.kind;
  });
  const crossed = [0, 0.04].flatMap((beta) =>
    ["grpo", "dr_grpo"].flatMap((loss) => ["group", "none"].map((scale) => `${loss} ${scale} ${beta}`)),
  );
  expect([...cells].sort()).toEqual([...crossed].sort());
});

it("lets a reward of length count by its weight alone: no deviation divides it where a group is all right", () => {
  for (const { name } of of("length")) expect(last(name), name).toMatchObject({ kind: "grpo", scale_rewards: "none" });
});

it("combines Dr. GRPO with the semantic reward, and changes nothing else", () => {
  const rewards = { ...rewardsOf("grpo"), semantic: rewardsOf("semantic_concepts")["semantic"] };
  expect(last("dr_grpo_semantic")).toEqual({ ...last("dr_grpo_none"), rewards });
});

it("updates several times on a rollout where a ratio is bounded in a way of its own, and in one plain arm", () => {
  const several = study.arms.filter(({ recipe }) => {
    const stage = recipe.stages.at(-1)!;
    return "num_iterations" in stage && stage.num_iterations * stage.steps_per_generation > 1;
  });
  expect(several.map(({ name }) => name)).toEqual(["grpo_iterations", "gspo", "cispo", "sapo"]);
  const [plain] = several;
  expect(plain!.recipe.stages[0]).toEqual({ ...last("grpo"), num_iterations: 2, learning_rate: 5e-5 });
});

it("changes nothing of the data, and answers the same questions with every seed", () => {
  for (const { recipe } of study.arms) expect(recipe.data).toEqual(study.arms[0]!.recipe.data);
  expect(study.arms[0]!.recipe.data.eval).toMatchObject({ limit: 520, seed: expect.any(Number) });
  expect(study.arms[0]!.recipe.evaluate!.limit).toBeNull();
});

it("runs each arm for itself but for those whose leading stages are equal", () => {
  const runs = planRuns(study);
  expect(runs).toHaveLength(3 * study.arms.length);
});
