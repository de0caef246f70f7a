/**
 * What to do with the experts of studies/experts.yaml: route each question to the expert of its kind of image, as its label
 * says, or merge the experts into one model by the mean or TIES, settings chosen on validation questions. Prints a row per
 * arm: accuracy on the study's test questions by seed, and the paired difference to the joint adapter.
 * usage: npx tsx bench/experts.ts STUDY_FOLDER [--seeds 1,2,3] [--validation 78]
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { meanOf } from "../src/core/mean.ts";
import { crossedBootstrap } from "../src/evaluate/crossed-bootstrap.ts";
import { chooseMerge, type MergeCandidate } from "../src/export/choose-merge.ts";
import { evaluateFolder, evaluationLines } from "../src/export/evaluate-folder.ts";
import type { MergeMethod } from "../src/export/methods.ts";
import { loadRecipe } from "../src/recipes/load.ts";
import { scanJsonl } from "../src/runs/jsonl.ts";

const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "1,2,3" }, validation: { type: "string", default: "78" } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error("usage: bench/experts.ts STUDY_FOLDER [--seeds 1,2,3]");
const seeds = o.seeds.split(",").map(Number);
const runOf = (arm: string, seed: number) => join(resolve(folder), "runs", `${arm}-seed${seed}`);
/** Experts by the kind of image that the data's meta names. */
const experts: Readonly<Record<string, string>> = {
  "x-ray chest": "chest_film",
  "ct chest": "chest_ct",
  "ct abdomen": "abdomen_ct",
  "mri head": "brain_mr",
};

interface Item {
  readonly kind: string;
  readonly step?: number;
  readonly example_id: string;
  readonly subject_id: string;
  readonly strata: Readonly<Record<string, string>>;
  readonly strict: number;
}
type Answers = readonly Item[];

/** The last evaluation of a file. */
function answersIn(file: string): Answers {
  const items = [...scanJsonl<Item>(file)].filter(({ kind }) => kind === "item");
  return items.filter(({ step }) => step === items.at(-1)!.step);
}

const kindOf = ({ strata }: Item) => `${strata["modality"]} ${strata["organ"]}`;

/** Each question's answer by the expert of its kind. */
function routed(seed: number): Answers {
  const byArm = new Map(Object.values(experts).map((arm) => [arm, answersIn(join(runOf(arm, seed), "evals.jsonl"))]));
  return byArm.get("chest_film")!.map((item, i) => {
    const arm = experts[kindOf(item)];
    if (arm === undefined) throw new Error(`${item.example_id}: no expert for ${kindOf(item)}`);
    return byArm.get(arm)![i]!;
  });
}

/** A merge whose settings were chosen on validation questions, and what it answers; kept in the study's folder. */
async function merged(name: string, methods: readonly MergeMethod[], lambdas: readonly number[], seed: number) {
  const out = join(resolve(folder!), "merged", `${name}-seed${seed}`);
  const { recipe } = loadRecipe(join(runOf("joint", seed), "recipe.yaml"));
  const own = { ...recipe, evaluate: { ...recipe.evaluate!, limit: null } };
  if (!existsSync(`${out}.jsonl`)) {
    mkdirSync(join(out, ".."), { recursive: true });
    const spec = { ...own.data.eval!, split: "validation", limit: Number(o.validation) };
    const { chosen } = await chooseMerge(
      Object.values(experts).map((arm) => runOf(arm, seed)),
      {
        ...{ out, methods, lambdas, densities: [0.2, 0.5], adapterWeights: [1, 1, 1, 1] },
        recipe: { ...own, data: { ...own.data, eval: spec } },
        onCandidate: (one) => console.error(name, seed, JSON.stringify(one)),
      },
    );
    writeFileSync(`${out}.json`, JSON.stringify(chosen));
    writeFileSync(`${out}.jsonl`, evaluationLines(await evaluateFolder(out, own)));
  }
  const chosen = JSON.parse(readFileSync(`${out}.json`, "utf8")) as MergeCandidate;
  return { answers: answersIn(`${out}.jsonl`), chosen };
}

const table = new Map<
  string,
  { readonly seed: number; readonly answers: Answers; readonly chosen?: MergeCandidate }[]
>();
const add = (arm: string, seed: number, answers: Answers, chosen?: MergeCandidate) => {
  table.set(arm, [...(table.get(arm) ?? []), { seed, answers, ...(chosen === undefined ? {} : { chosen }) }]);
};
for (const seed of seeds) {
  add("joint", seed, answersIn(join(runOf("joint", seed), "evals.jsonl")));
  for (const arm of Object.values(experts)) add(`${arm} alone`, seed, answersIn(join(runOf(arm, seed), "evals.jsonl")));
  add("routed by label", seed, routed(seed));
  for (const [name, methods, lambdas] of [
    ["mean", [], []],
    ["mean, lambda chosen", ["mean"], [0.5, 1, 2, 4]],
    ["ties, chosen", ["ties"], [0.5, 1, 2]],
  ] as const) {
    const { answers, chosen } = await merged(name.replace(/\W+/g, "-"), methods, lambdas, seed);
    add(name, seed, answers, chosen);
  }
}
const accuracyOf = (answers: Answers) => meanOf(answers.map(({ strict }) => strict))!;
const joint = table.get("joint")!;
for (const [arm, runs] of table) {
  const differences = runs.flatMap(({ answers }, k) =>
    answers.map(({ subject_id: subject, strict }, i) => {
      return { subject, seed: runs[k]!.seed, value: strict - joint[k]!.answers[i]!.strict };
    }),
  );
  const bySeed = runs.map(({ answers }) => accuracyOf(answers));
  const chosen = runs.flatMap((run) => (run.chosen === undefined ? [] : [run.chosen]));
  const less = arm === "joint" ? null : crossedBootstrap(differences);
  console.log(JSON.stringify({ arm, mean: meanOf(bySeed), by_seed: bySeed, less_joint: less, chosen }));
}
