/** Prints what a study found as Markdown tables, one for each dimension: `npx tsx scripts/study-tables.ts FOLDER/study.json`. */
import { readFileSync } from "node:fs";
import { type StudyArm, type StudyResults, studyResultsSchema } from "../src/runs/study-results.ts";

const [file = "runs/study/study.json"] = process.argv.slice(2);
const results: StudyResults = studyResultsSchema.parse(JSON.parse(readFileSync(file, "utf8")));
const dimensions = [...new Set(results.arms.flatMap((arm) => arm.dimensions))];

for (const dimension of dimensions) {
  const arms = results.arms.filter((arm) => arm.name === results.reference || arm.dimensions.includes(dimension));
  const ranked = [...arms].sort((a, b) => (b.accuracy?.estimate ?? 0) - (a.accuracy?.estimate ?? 0));
  console.log(`\n#### ${dimension[0]!.toUpperCase()}${dimension.slice(1)}\n`);
  console.log(
    `| arm | accuracy % [95 %] | by seed | less \`${results.reference}\` | p (Holm) | reward, first → last fifth | length | time |`,
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const arm of ranked) console.log(`| ${cells(arm).join(" | ")} |`);
}

function cells({ name, about, accuracy, difference, runs, training, cost }: StudyArm): readonly string[] {
  const rewards = runs.flatMap(({ reward }) =>
    reward === null ? [] : [`${fixed(reward.first)} → ${fixed(reward.last)}`],
  );
  const length = training["completion/length_mean"];
  return [
    `\`${name}\`${about === null ? "" : `: ${about}`}`,
    accuracy === null
      ? "failed"
      : `${percent(accuracy.estimate)} [${percent(accuracy.low)}, ${percent(accuracy.high)}]`,
    runs.map((run) => (run.accuracy === null ? "–" : percent(run.accuracy))).join(", "),
    difference === null ? "" : `${signed(difference.estimate)} [${signed(difference.low)}, ${signed(difference.high)}]`,
    difference === null ? "" : difference.p_holm.toFixed(3),
    rewards.join("; "),
    length === undefined ? "" : length.toFixed(0),
    cost === null ? "" : `${cost.seconds.toFixed(0)} s${cost.ratio === null ? "" : ` (× ${cost.ratio.toFixed(2)})`}`,
  ];
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  return `${share < 0 ? "" : "+"}${percent(share)}`;
}
