/** A comparison as aligned tables for a terminal. */
import { percent, points } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import { verdictSentence } from "../runs/verdict.ts";
import type { Interval } from "./bootstrap.ts";
import type { ComparedSubset, Comparison } from "./compare.ts";

/**
 * One table per arm: a row for each subset of questions, with the paired difference from the reference and its verdict.
 */
export function formatComparison(comparison: Comparison): string {
  const { protocol, reference, arms, subsets, allowed_differences: allowed } = comparison;
  const overall = subsets[0]!;
  const tables = arms.flatMap((arm, i) => [
    "",
    `${arm} − ${reference}`,
    ...alignColumns([header, ...rows(subsets, i)], 1),
  ]);
  const notes = allowed.map(({ arm, condition, what }) => `differs: ${condition} of ${arm} (${what})`);
  return [
    `protocol ${protocol}, ${overall.n} questions about ${overall.subjects} subjects`,
    ...notes,
    ...tables,
    "",
    ...arms.map((arm, i) => sentence(arm, overall, i)),
    "Differences are paired, in points; + or - where the 95 % interval over subjects excludes 0. p: McNemar's exact test;",
    "Holm: corrected for the number of arms. Token F1 and lenient accuracy: their differences. In the sentences above, p",
    "counts flips of whole subjects, and is the largest over the baselines.",
  ].join("\n");
}

const header = [
  "",
  "n",
  "reference",
  "arm",
  "difference [95 %]",
  "",
  "won",
  "lost",
  "p",
  "Holm",
  "detectable",
  "lenient",
  "token F1",
];

function rows(subsets: readonly ComparedSubset[], i: number): readonly (readonly string[])[] {
  return subsets.map(({ stratum, value, n, reference_accuracy, arms }) => {
    const arm = arms[i]!;
    const { difference, verdict, won, lost, mcnemar_p, holm_p, detectable_difference: least } = arm;
    const metric = (one: typeof arm.token_f1) => `${points(one.difference.estimate)} ${marks[one.verdict]}`;
    return [
      stratum === "overall" || stratum === "answer_type" ? value : `${stratum} ${value}`,
      String(n),
      percent(reference_accuracy.estimate),
      percent(arm.accuracy.estimate),
      withBounds(difference),
      marks[verdict],
      String(won),
      String(lost),
      pText(mcnemar_p),
      pText(holm_p),
      least === null ? "" : percent(least),
      metric(arm.lenient_accuracy),
      metric(arm.token_f1),
    ];
  });
}

const marks = { better: "+", worse: "-", open: "~" } as const;

function sentence(arm: string, overall: ComparedSubset, i: number): string {
  return `${arm}: ${verdictSentence(overall.arms[i]!.verdict_against_all)}`;
}

function withBounds({ estimate, low, high }: Interval): string {
  return `${points(estimate)} [${points(low)}, ${points(high)}]`;
}

function pText(p: number): string {
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}
