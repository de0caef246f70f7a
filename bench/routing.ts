/**
 * What experts that answer by solved cases are worth: routed with and without those cases as context, beside the mean of the
 * experts, one adapter trained on everything, the expert of the true label (oracle), and the model without adapters.
 * usage: npx tsx bench/routing.ts STUDY_FOLDER [--cases 390] [--seeds 1,2,3] [--limit 208]
 * The folder is that of studies/routing.yaml. Prints a table: accuracy by seed and its mean.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { meanOf } from "../src/core/mean.ts";
import { percent } from "../src/core/percent.ts";
import { alignColumns } from "../src/core/text-table.ts";
import { loadDataset } from "../src/data/index.ts";
import { collectAnswers, decodingOf, type EvalItem, evaluateAnswers, readEvaluation } from "../src/evaluate/index.ts";
import { mergeAdapters } from "../src/export/merge.ts";
import { buildCaseIndex } from "../src/session/case-index.ts";
import { openCheckpoint } from "../src/session/checkpoint.ts";
import { routeDefaults } from "../src/session/control.ts";
import { openCheckpointSource } from "../src/session/evaluation-sources.ts";

const text = { type: "string" } as const;
const { values, positionals } = parseArgs({
  options: { cases: text, seeds: text, limit: text },
  allowPositionals: true,
});
const [study] = positionals;
if (study === undefined) throw new Error("routing: name the folder of studies/routing.yaml");

const model = resolve(import.meta.dirname, "../assets/viva-tiny-instruct");
const arms = { "x-ray": "film", ct: "ct", mri: "mri" } as const;
const own = { image_size: 112, difficulty: 0.2 };
const asked = { name: "phantom_world", seed: 1000, own };
const questions = await loadDataset({ ...asked, split: "test", limit: Number(values.limit ?? 208) });
const scratch = mkdtempSync(join(tmpdir(), "viva-routing-"));

const runOf = (arm: string, seed: number) => join(study!, "runs", `${arm}-seed${seed}`);

async function items(checkpoint: string, route?: { index: string; context: number }): Promise<readonly EvalItem[]> {
  const control = route && { route: { index: route.index, options: { ...routeDefaults, context: route.context } } };
  const source = await openCheckpointSource(checkpoint, {
    ...{ prompt: "answer_only", threads: 1, decoding: () => decodingOf({ maxCompletionLength: 12 }) },
    ...(control === undefined ? {} : { control }),
  });
  try {
    const answers = await collectAnswers(source.source, questions);
    return evaluateAnswers(questions, answers, { checkpoint, train: null }).items;
  } finally {
    await source.close();
  }
}

async function indexFor(seed: number, experts: Readonly<Record<string, string>>): Promise<string> {
  const path = join(scratch, `cases-${seed}.safetensors`);
  const solved = await loadDataset({
    name: "phantom_world",
    split: "train",
    seed,
    limit: Number(values.cases ?? 390),
    own,
  });
  const opened = await openCheckpoint(model, { engine: "local", threads: 1 });
  await buildCaseIndex(opened, solved, path, { by: "modality", experts });
  await opened.engine.close();
  return path;
}

/** What a run's own evaluation found, of the same questions. */
function recorded(arm: string, seed: number): readonly EvalItem[] {
  const byId = new Map(readEvaluation(runOf(arm, seed), arm).items.map((item) => [item.example_id, item] as const));
  return questions.map(({ id }) => {
    const item = byId.get(id);
    if (item === undefined) throw new Error(`routing: ${runOf(arm, seed)} was not asked ${id}`);
    return item;
  });
}

const modalityOf = ({ strata }: EvalItem) => strata["modality"] as keyof typeof arms;
const accuracy = (scored: readonly EvalItem[]) => meanOf(scored.map(({ strict }) => strict));
const table = new Map<string, number[]>();
const note = (name: string, value: number) => {
  table.set(name, [...(table.get(name) ?? []), value]);
  console.error(name, percent(value));
};
const seeds = (values.seeds ?? "1,2,3").split(",").map(Number);
const untuned = accuracy(await items(model));
for (const seed of seeds) {
  const experts = Object.fromEntries(Object.entries(arms).map(([name, arm]) => [name, runOf(arm, seed)]));
  const each = new Map(Object.entries(arms).map(([name, arm]) => [name, recorded(arm, seed)] as const));
  note("without adapters", untuned);
  note("single", accuracy(recorded("single", seed)));
  const others = [...each].flatMap(([name, all]) => all.filter((one) => modalityOf(one) !== name));
  note("experts on other modalities", accuracy(others));
  note("oracle", accuracy([...each].flatMap(([name, all]) => all.filter((one) => modalityOf(one) === name))));
  const merged = join(scratch, `merged-${seed}`);
  const folders = Object.values(experts);
  const merging = { method: "mean", density: 0.5, lambda: 1, adapterWeights: folders.map(() => 1) } as const;
  await mergeAdapters(folders, { out: merged, rank: null, ...merging });
  note("merged (mean)", accuracy(await items(merged)));
  const index = await indexFor(seed, experts);
  const routed = await items(model, { index, context: 0 });
  note("routed", accuracy(routed));
  note("routed to its own expert", meanOf(routed.map((one) => (one.expert === modalityOf(one) ? 1 : 0))));
  note("routed, 2 cases as context", accuracy(await items(model, { index, context: 2 })));
}
rmSync(scratch, { recursive: true });
const rows = [...table].map(([name, found]) => [name, ...found.map(percent), percent(meanOf(found))]);
for (const line of alignColumns([["", ...seeds.map((seed) => `seed ${seed}`), "mean"], ...rows], 1)) console.log(line);
