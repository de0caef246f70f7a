/**
 * From how many patients on conventional models do better than a language model that was trained on the same patients: the arms
 * of studies/tables.yaml by size, beside models of the table's columns that are fitted to the very rows each arm saw.
 * usage: npx tsx bench/tables.ts STUDY_FOLDER [--seeds 1,2,3]
 * Prints accuracy by size, and of each conventional model the difference from the arm over subjects and seeds.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { meanOf } from "../src/core/mean.ts";
import { percent } from "../src/core/percent.ts";
import { alignColumns } from "../src/core/text-table.ts";
import { loadDataset } from "../src/data/index.ts";
import { conventionalAnswers } from "../src/evaluate/conventional/answering.ts";
import { tableBlock } from "../src/evaluate/conventional/table-block.ts";
import { crossedBootstrap } from "../src/evaluate/crossed-bootstrap.ts";
import { readEvaluation, scoreBaselines } from "../src/evaluate/index.ts";

const { values, positionals } = parseArgs({ options: { seeds: { type: "string" } }, allowPositionals: true });
const [study] = positionals;
if (study === undefined) throw new Error("tables: name the folder of studies/tables.yaml");
const seeds = (values.seeds ?? "1,2,3").split(",").map(Number);
const arms = [
  ["list_30", 30],
  ["list_100", 100],
  ["list", 300],
] as const;
const own = { ask: "outcome", linear_share: 1, table_in_question: false, difficulty: 0 };
const load = (split: string, limit: number, seed: number) =>
  loadDataset({ name: "phantom_patients", split, limit, seed, own });
const examples = await load("test", 150, 1000);

const rows: string[][] = [["patients", "model on the list", "lr", "less the model", "gbdt", "less the model"]];
for (const [arm, n] of arms) {
  const train = await load("train", n, 2);
  const runs = seeds.map((seed) => {
    const { items } = readEvaluation(join(study, "runs", `${arm}-seed${seed}`), arm);
    const byId = new Map(items.map((item) => [item.example_id, item.strict] as const));
    return { seed, right: examples.map(({ id }) => byId.get(id)!) };
  });
  const row = [String(n), percent(meanOf(runs.flatMap(({ right }) => right)))];
  for (const model of ["lr", "gbdt"] as const) {
    const answers = await conventionalAnswers(model, examples, train, { blocks: [tableBlock(train)], seed: 0 });
    const scored = scoreBaselines(examples, { [model]: answers }, "viva")[model]!;
    const differences = runs.flatMap(({ seed, right }) =>
      scored.map(({ strict, subject_id }, i) => ({ subject: subject_id, seed, value: strict - right[i]! })),
    );
    const { estimate, low, high } = crossedBootstrap(differences)!;
    const points = (value: number) => (100 * value).toFixed(1);
    row.push(percent(meanOf(scored.map(({ strict }) => strict))));
    row.push(`${points(estimate)} [${points(low)}, ${points(high)}]`);
  }
  rows.push(row);
}
for (const line of alignColumns(rows, 1)) console.log(line);
