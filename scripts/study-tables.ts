/**
 * Writes the results of the study of four dimensions into the documentation: the tables of docs/study.md, the paragraphs "On
 * the phantom world" of docs/algorithms/ and the table of docs/results/README.md. Without --write it only prints the tables.
 * usage: npx tsx scripts/study-tables.ts FOLDER/study.json [--write]
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { replaceFile } from "../src/runs/durable.ts";
import { type StudyArm, type StudyResults, studyResultsSchema } from "../src/runs/study-results.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { write: { type: "boolean" } } });
const [file = "runs/study/study.json"] = positionals;
const results: StudyResults = studyResultsSchema.parse(JSON.parse(readFileSync(file, "utf8")));
const armOf = new Map(results.arms.map((arm) => [arm.name, arm]));

/** The arms of the table in docs/results, with their labels there. */
const shown = {
  untuned: "untuned",
  sft: "supervised on answers",
  grpo: "GRPO",
  dr_grpo_none: "Dr. GRPO",
  semantic_concepts: "GRPO, semantic reward (concepts)",
  dr_grpo_semantic: "Dr. GRPO, semantic reward",
  length_cwr: "GRPO, correctness-weighted length (CWR)",
  length_ecr: "GRPO, length for every answer (ECR)",
  init_sft: "supervised on answers, then GRPO",
  init_base: "GRPO from the base model",
} as const;

/** Pages of algorithms, by arm. */
const pages = {
  ...{ sft: "sft", dpo: "dpo", grpo: "grpo", dr_grpo: "dr_grpo_none", dapo: "dapo", gspo: "gspo", cispo: "cispo" },
  ...{ sapo: "sapo", rloo: "rloo", opo: "opo", reinforce: "reinforce", gdpo: "gdpo" },
} as const;
/** Arms with two passes over each rollout, compared with this one. */
const TWICE = "grpo_iterations";
const twice: readonly string[] = ["gspo", "cispo", "sapo"];

const tables = tablesByDimension();
if (values.write) {
  replaceBetween("docs/study.md", "<!-- tables -->\n", "<!-- /tables -->", `${tables}\n`);
  replaceBetween("docs/results/README.md", "minus GRPO, points |\n|---|---|---|\n", "<!-- /study -->", shownRows());
  for (const [page, name] of Object.entries(pages)) {
    replaceBetween(`docs/algorithms/${page}.md`, "## On the phantom world\n\n", "\n", paragraph(needed(name)));
  }
} else console.log(tables);

/** Replaces the text between two markers of a page; the second is the first occurrence after the first. */
function replaceBetween(page: string, start: string, end: string, text: string): void {
  const path = fileURLToPath(new URL(`../${page}`, import.meta.url));
  const old = readFileSync(path, "utf8");
  const from = old.indexOf(start) + start.length;
  const to = old.indexOf(end, from);
  if (from < start.length || to < 0) throw new Error(`${page}: "${start.trim()}" … "${end.trim()}" is missing`);
  replaceFile(path, old.slice(0, from) + text + old.slice(to));
}

function needed(name: string): StudyArm {
  const arm = armOf.get(name);
  if (arm === undefined) throw new Error(`${file}: the arm "${name}" is missing`);
  return arm;
}

function shownRows(): string {
  return Object.entries(shown)
    .map(([name, label]) => {
      const { accuracy, difference } = needed(name);
      return `| ${label} | ${interval(accuracy)} | ${difference === null ? "" : interval(difference, signed)} |\n`;
    })
    .join("");
}

function paragraph(arm: StudyArm): string {
  const { name, accuracy, difference, cost } = arm;
  const ships = percent(needed("untuned").accuracy!.estimate);
  const answers = accuracy === null ? "" : `, ${accuracy.n} answers`;
  const sameBudget = twice.includes(name)
    ? `; GRPO with the same number of passes ${interval(needed(TWICE).accuracy, percent, "%")}`
    : "";
  const rewards = rewardsOf(arm, 3).join(", ");
  return [
    `Arm \`${name}\` of [the study](../study.md#results), ${results.seeds.length} seeds${answers}:`,
    `accuracy ${interval(accuracy, percent, "%")}; untuned model ${ships} %${sameBudget}`,
    difference === null ? "" : `; difference from plain GRPO ${interval(difference, signed, "points")}`,
    ".",
    rewards === "" ? "" : ` Mean reward in the first → last fifth of its steps: ${rewards}.`,
    cost === null
      ? ""
      : ` ${cost.seconds.toFixed(0)} s of steps${cost.ratio === null || name === results.reference ? "" : `, ${cost.ratio.toFixed(2)} times plain GRPO's`}.`,
  ]
    .join(" ")
    .replaceAll(/ +([;.])/g, "$1")
    .replaceAll(/ {2,}/g, " ");
}

function tablesByDimension(): string {
  const dimensions = [...new Set(results.arms.flatMap((arm) => arm.dimensions))];
  return dimensions.map(tableOf).join("\n");
}

function tableOf(dimension: string): string {
  const arms = results.arms.filter((arm) => arm.name === results.reference || arm.dimensions.includes(dimension));
  const ranked = [...arms].sort((a, b) => (b.accuracy?.estimate ?? 0) - (a.accuracy?.estimate ?? 0));
  return [
    `\n#### ${dimension[0]!.toUpperCase()}${dimension.slice(1)}\n`,
    `| arm | accuracy % [95 %] | by seed | minus \`${results.reference}\` | p (Holm) | reward, first → last fifth | length | time |`,
    "|---|---|---|---|---|---|---|---|",
    ...ranked.map((arm) => `| ${cells(arm).join(" | ")} |`),
  ].join("\n");
}

function cells(arm: StudyArm): readonly string[] {
  const { name, about, accuracy, difference, runs, training, cost } = arm;
  const length = training["completion/length_mean"];
  return [
    `\`${name}\`${about === null ? "" : `: ${about}`}`,
    interval(accuracy),
    runs.map((run) => (run.accuracy === null ? "–" : percent(run.accuracy))).join(", "),
    difference === null ? "" : interval(difference, signed),
    difference === null ? "" : difference.p_holm.toFixed(3),
    rewardsOf(arm, 2).join("; "),
    length === undefined ? "" : length.toFixed(0),
    cost === null ? "" : `${cost.seconds.toFixed(0)} s${cost.ratio === null ? "" : ` (× ${cost.ratio.toFixed(2)})`}`,
  ];
}

function rewardsOf({ runs }: StudyArm, digits: number): readonly string[] {
  return runs.flatMap(({ reward }) =>
    reward === null ? [] : [`${reward.first.toFixed(digits)} → ${reward.last.toFixed(digits)}`],
  );
}

type Estimate = { readonly estimate: number; readonly low: number; readonly high: number };

function interval(value: Estimate | null, format = percent, unit = ""): string {
  if (value === null) return "failed";
  return `${format(value.estimate)}${unit === "" ? "" : ` ${unit}`} [${format(value.low)}, ${format(value.high)}]`;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  return `${share < 0 ? "−" : "+"}${percent(Math.abs(share))}`;
}
