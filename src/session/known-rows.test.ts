import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { LiveQuestion } from "../core/live-answers.ts";
import type { Completion } from "../core/records.ts";
import { loadRecipe } from "../recipes/load.ts";
import { buildRewards, rewardsAt, scoreGroup } from "../rewards/index.ts";
import { trainingExamples } from "./examples.ts";
import { knownRows } from "./known-rows.ts";
import { openLiveRewards } from "./live-rewards.ts";
import { openVocabulary } from "./reward-services.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-known-rows-"));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const factsOf = (findings: readonly object[]) => ({ modality: "x-ray", organ: "chest", findings });
const left = factsOf([{ finding: "nodule", side: "left" }]);
const rows = [
  { id: "a", image: "1.png", question: "Where is the nodule?", answer: "left", facts: left, rationale: "a nodule" },
  { id: "a2", image: "1.png", question: "Is it new?", answer: "no" },
  { id: "b", image: "2.png", question: "Is it clear?", answer: "yes", facts: factsOf([]) },
  {
    id: "c",
    image: "3.png",
    question: "How large?",
    answer: "24",
    answer_type: "numeric",
    unit: "mm",
    tolerance: 5,
    facts: factsOf([]),
  },
  { id: "d", image: "3.png", question: "How old?", answer: "40", answer_type: "numeric", unit: "years", facts: left },
];
for (const name of ["1.png", "2.png", "3.png"]) writeFileSync(at(name), name);
writeFileSync(at("train.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
writeFileSync(at("mine.mjs"), "globalThis.rowsWereRun = true; export default () => [];");

const rewards = { accuracy: 1, facts: 1, rationale: 1 };
const recipeOn = (train: object) => {
  const stages = [{ kind: "grpo", steps: 1, rewards }];
  const recipe = { name: "known", model: { path: "viva-tiny" }, data: { train }, stages };
  writeFileSync(at("recipe.yaml"), JSON.stringify(recipe));
  return loadRecipe(at("recipe.yaml")).recipe;
};
const recipe = recipeOn({ name: "jsonl", path: folder });

/** The question of a row, about the image of another where one is named. */
const asked = (id: string, changes: Partial<LiveQuestion> & { readonly image?: string } = {}): LiveQuestion => {
  const { image, question, answer } = rows.find((row) => row.id === id)!;
  const { image: other = image, ...more } = changes;
  const decoding = { samples: 1, temperature: 0, seed: 0, maxTokens: 5 };
  const common = { folder, step: null, choices: [], reference: { answer }, example: id, ...decoding };
  return { ...common, question, images: other === "" ? [] : [{ path: at(other) }], ...more };
};

const texts = ["There is a nodule on the left.", "There is a nodule on the right."];
const completions = texts.map((text): Completion => {
  const common = { logProbs: new Float32Array(1), finishReason: "stop", policyVersion: 0 } as const;
  return { ...common, text: `<think>${text}</think><answer>left</answer>`, tokenIds: Int32Array.of(1) };
});
const style = { style: "think_answer", thinkOpened: false } as const;

test("a question that is a row's is scored as its example was in training", async () => {
  const { parts, noFacts } = (await knownRows(recipe)).of(asked("a"));
  const [example] = await trainingExamples(recipe);
  expect(noFacts).toBe(null);
  const live = (await openLiveRewards(recipe, style))!;
  const { facts: _, rationale: __, meta: ___, ...plain } = example!;
  const found = await live.score({ ...plain, meta: {}, ...parts }, completions);
  const context = { ...style, maxCompletionLength: 128, vocabulary: openVocabulary(null) };
  const trained = await scoreGroup(rewardsAt(await buildRewards(rewards, context), 1), example!, completions);
  expect(found.map(({ reward }) => reward)).toEqual(trained.reward);
  expect(found.map(({ rewards }) => rewards["facts"])).toEqual([1, 0]); // a nodule, on the wrong side
  expect(found[0]!.evidence).toContainEqual(expect.objectContaining({ reward: "facts", verdict: true }));
  await live.close();
});

test("another image under the question has the facts of its own rows and nothing else", async () => {
  const { of } = await knownRows(recipe);
  expect(of(asked("a", { image: "2.png" }))).toEqual({ parts: { facts: factsOf([]) }, noFacts: null });
  expect(of(asked("a", { example: null })).parts).toEqual({ facts: left });
  expect(of(asked("a", { reference: { answer: "right" } })).parts).toEqual({ facts: left });
  const unknown = (changes: Parameters<typeof asked>[1]) => {
    const { parts, noFacts } = of(asked("a", changes));
    return [Object.keys(parts), noFacts];
  };
  expect(unknown({ image: "3.png" })).toEqual([[], "the rows of this image do not say the same of it"]);
  expect(unknown({ image: "1.png#mirrored" })).toEqual([[], expect.stringContaining("has this image, as it is")]);
  expect(unknown({ image: "" })).toEqual([[], "there is no image"]);
});

test("numeric questions keep their unit and tolerance, and rewards the spread of all targets", async () => {
  const { of, targets } = await knownRows(recipe);
  expect(targets!.map(({ value }) => value)).toEqual([24, 40]);
  expect(of(asked("c")).parts.target).toEqual({ value: 24, unit: "mm", tolerance: 5 });
});

test("a question about a patient keeps the table that is told before it, over any image", async () => {
  const table = join(import.meta.dirname, "../../recipes/tables/phantom-patients-turns.yaml");
  const patients = recipeOn({ name: "phantom_patients", limit: 3, table });
  const [row, other] = await trainingExamples(patients);
  const { id, question, answer, images, before } = row!;
  expect(before!.length).toBeGreaterThan(0);
  const { of } = await knownRows(patients);
  const shown = { question, example: id, reference: { answer } };
  expect(of(asked("a", { ...shown, images })).parts.before).toEqual(before);
  expect(of(asked("a", { ...shown, images: other!.images })).parts).toMatchObject({ before, facts: other!.facts });
  expect(of(asked("a", { ...shown, images, example: null })).parts.before).toBe(undefined);
});

test("data that a module gives, alone or in a mix, are not read; data that are gone leave the rest be", async () => {
  const module = { name: "module", path: at("mine.mjs") };
  for (const train of [module, { name: "mix", sets: [{ name: "phantom" }, module] }]) {
    const { of, targets } = await knownRows(recipeOn(train));
    expect([of(asked("a")), targets]).toEqual([
      { parts: {}, noFacts: expect.stringContaining("is not run from a page") },
      undefined,
    ]);
  }
  expect((globalThis as { rowsWereRun?: boolean }).rowsWereRun).toBe(undefined);
  rmSync(at("3.png"));
  expect((await knownRows(recipe)).of(asked("a")).noFacts).toContain("3.png");
});
