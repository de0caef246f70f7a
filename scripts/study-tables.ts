/**
 * Writes a study's results into the documentation: the tables between <!-- tables --> and <!-- /tables --> of its page, and
 * what else is kept of it (`pagesOf`). Without --write it only prints the tables.
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

/** Where the tables of a study stand, and what else is written from it. */
const pagesOf: Readonly<Record<string, { readonly page: string; readonly also: () => void }>> = {
  "four-dimensions": { page: "docs/results/four-dimensions.md", also: () => {} },
  "one-look": {
    page: "docs/results/one-look.md",
    also: () => {
      replaceBetween("docs/results/README.md", "minus GRPO, points |\n|---|---|---|\n", "<!-- /study -->", shownRows());
      for (const [page, name] of Object.entries(pages)) {
        replaceBetween(`docs/algorithms/${page}.md`, "## On the phantom world\n\n", "\n", paragraph(needed(name)));
      }
    },
  },
};

const tables = [tablesByDimension(), reasoningTable(), predictionsTable()].join("\n");
if (values.write) {
  const written = pagesOf[results.name];
  if (written === undefined) throw new Error(`${file}: no page is known for the study "${results.name}"`);
  replaceBetween(written.page, "<!-- tables -->\n", "<!-- /tables -->", `${tables}\n`);
  written.also();
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
    `Arm \`${name}\` of [the study of one look](../results/one-look.md), ${results.seeds.length} seeds${answers}:`,
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
    `\n### ${dimension[0]!.toUpperCase()}${dimension.slice(1)}\n`,
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
    runs
      .filter(({ status }) => status !== "unfinished")
      .map((run) => (run.accuracy === null ? "–" : percent(run.accuracy)))
      .join(", "),
    difference === null ? "" : interval(difference, signed),
    difference === null ? "" : difference.p_holm.toFixed(3),
    rewardsOf(arm, 2).join("; "),
    length === undefined ? "" : length.toFixed(0),
    cost === null ? "" : `${cost.seconds.toFixed(0)} s${cost.ratio === null ? "" : ` (× ${cost.ratio.toFixed(2)})`}`,
  ];
}

/** Lengths, false statements and accuracy by the reference chain's length, of every arm that has them. */
function reasoningTable(): string {
  const rows = results.arms.flatMap(({ name, reasoning }) => {
    if (reasoning === null) return [];
    const median = (of: readonly number[] | null) => (of === null ? "–" : of[2]!.toFixed(0));
    const share = (of: number | null) => (of === null ? "–" : percent(of));
    const chains = reasoning.by_chain_length.map(({ statements, accuracy }) => `${statements}: ${percent(accuracy)}`);
    const { right_lengths: right, wrong_lengths: wrong, tokens_per_right: tokens } = reasoning;
    const lengths = [median(right), median(wrong), tokens === null ? "–" : tokens.toFixed(0)];
    const statements = [share(reasoning.false_statements), share(reasoning.invented_findings)];
    return [`| ${[`\`${name}\``, ...lengths, ...statements, chains.join(", ")].join(" | ")} |`];
  });
  return [
    "\n### Reasoning\n",
    "| arm | tokens, right (median) | tokens, wrong | tokens per right answer | false statements % | invented findings % | accuracy % by statements of the reference chain |",
    "|---|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

function predictionsTable(): string {
  if (results.predictions.length === 0) return "";
  const rows = results.predictions.map((prediction) => {
    const { arm, against, measure, direction, margin, unit, values: found, difference, verdict, because } = prediction;
    const format = unit === "share" ? percent : (tokens: number) => tokens.toFixed(1);
    const sign = (value: number) => `${value < 0 ? "−" : "+"}${format(Math.abs(value))}`;
    const predicted = `${direction}${margin === null ? "" : ` within ${format(margin)}`}`;
    const cells = [
      `\`${arm}\` against \`${against}\``,
      `${measure} ${predicted}`,
      found === null ? "" : `${format(found.arm)}, ${format(found.against)}`,
      ...(difference === null ? ["", ""] : [interval(difference, sign), difference.p_holm.toFixed(3)]),
      verdict,
      because,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "\n### Predictions\n",
    "| arms | predicted | values | difference [95 %] | p (Holm) | verdict | because |",
    "|---|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
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
