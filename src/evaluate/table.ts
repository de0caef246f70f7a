/** Formats the summary of an evaluation as an aligned table for a terminal. */
import { percent, points } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import { describeOverlap } from "../data/index.ts";
import { verdictSentence } from "../runs/verdict.ts";
import type { Interval } from "./bootstrap.ts";
import { type EvalSummary, SUBSETS, type SubsetSummary } from "./summary.ts";

/** One row per subset: n, strict accuracy with its interval, lenient, token F1, parse failures, then each baseline. */
export function formatSummary(summary: EvalSummary): string {
  const shown = SUBSETS.flatMap((subset) => {
    const found = summary.subsets[subset];
    return found === undefined ? [] : [[subset, found] as const];
  });
  const names = Object.keys(shown[0]?.[1].baselines ?? {});
  const header = ["", "n", "accuracy % [95 % interval]", "lenient", "token F1", "parse failures", ...names];
  const rows = shown.map(([subset, found]) => [subset, ...cells(found, names)]);
  const title = `protocol ${summary.protocol}${summary.checkpoint === "" ? "" : `, ${summary.checkpoint}`}`;
  const legend =
    names.length > 0
      ? "Baselines: their accuracy, then the paired difference; + or - where its interval excludes 0."
      : "";
  return [
    title,
    ...alignColumns([header, ...rows], 1),
    ...textMetrics(summary),
    ...sampledLines(summary),
    ...factLines(summary),
    ...reasoningLines(summary),
    ...overlapLines(summary),
    ...controlLines(summary),
    ...yesNoLines(summary),
    ...scaleLines(summary),
    ...subgroupLines(summary),
    ...numberLines(summary),
    ...figureLines(summary),
    legend,
    verdictLine(summary),
  ]
    .filter((line) => line !== "")
    .join("\n");
}

/** Text overlap of open answers, and the detectable difference for this many questions. */
function textMetrics({ subsets: { open, overall } }: EvalSummary): string[] {
  const lines: string[] = [];
  if (open !== undefined) {
    const { exact_match, recall, bleu_1, rouge_l } = open;
    const shown = Object.entries({ "exact match": exact_match, recall, "BLEU-1": bleu_1, "ROUGE-L": rouge_l });
    lines.push(`open: ${shown.map(([name, one]) => `${name} ${percent(one.estimate)} ${bounds(one)}`).join(", ")}`);
  }
  if (overall === undefined) return lines;
  const { detectable_difference: least, accuracy } = overall;
  if (least !== null)
    lines.push(`detectable difference between two models with independent errors: ${percent(least)} points`);
  else if (accuracy.low === accuracy.high)
    lines.push("All subjects came out alike: an interval without width says nothing of others.");
  return lines;
}

/** Faithfulness of reasoning to the images, and unanswered questions. */
function factLines({ facts, unanswered }: EvalSummary): string[] {
  const lines: string[] = [];
  if (facts !== undefined) {
    const { claims, right, wrong, completions, precision, recall, hallucination_rate } = facts;
    const shown = Object.entries({ precision, recall, "hallucination rate": hallucination_rate }).flatMap(
      ([name, one]) => (one === null ? [] : [`${name} ${percent(one.estimate)} ${bounds(one)}`]),
    );
    const counts = `${claims} claims in ${completions} completions, ${right} true, ${wrong} false`;
    lines.push(`facts: ${[...shown, counts].join(", ")}`);
  }
  for (const [reason, n] of Object.entries(unanswered ?? {})) lines.push(`not answered: ${n} × ${reason}`);
  return lines;
}

/** Facts restated, options ruled out, and phrases of each behaviour. */
function reasoningLines({ reasoning }: EvalSummary): string[] {
  if (reasoning === undefined) return [];
  const { rationales, restated_facts: restated, excluded_options: excluded, behaviours } = reasoning;
  const phrases = Object.entries(behaviours).map(([name, { estimate }]) => `${name} ${estimate.toFixed(2)}`);
  const shown = [
    ...(restated === null ? [] : [`${restated.estimate.toFixed(1)} facts restated per 100 words`]),
    ...(excluded === null ? [] : [`wrong options ruled out ${percent(excluded.estimate)} ${bounds(excluded)}`]),
    `phrases per rationale: ${phrases.join(", ")}`,
  ];
  return [`reasoning of ${rationales}: ${shown.join("; ")}`];
}

/** What ended thoughts and who answered. */
function controlLines({ thoughts, experts }: EvalSummary): string[] {
  const lines: string[] = [];
  if (thoughts !== undefined) {
    const { stopped, tokens, trial_tokens: trials } = thoughts;
    lines.push(
      `thoughts: ${percent(stopped)} % ended early, ${tokens.toFixed(1)} tokens an answer and ${trials.toFixed(1)} of trials`,
    );
  }
  if (experts !== undefined) {
    const shown = Object.entries(experts).map(([name, n]) => `${name === "" ? "the model itself" : name} ${n}`);
    lines.push(`questions by who answered: ${shown.join(", ")}`);
  }
  return lines;
}

function verdictLine({ subsets: { overall } }: EvalSummary): string {
  return overall?.verdict === undefined ? "" : `verdict: ${verdictSentence(overall.verdict)}`;
}

/** A table of closed questions as a test: the model by its answers, others by their probabilities. */
function yesNoLines({ yes_no: predictors }: EvalSummary): string[] {
  if (predictors === undefined) return [];
  const first = Object.values(predictors)[0]!;
  const header = [
    "yes or no",
    "AUROC % [95 %]",
    "AUPRC",
    "min(P, Se)",
    "recall",
    "specificity",
    "accuracy",
    "F1",
    "F3",
    "cost",
    "Brier",
    "ECE",
    "unreadable",
  ];
  const rows = Object.entries(predictors).map(([name, found]) => [
    name,
    `${percent(found.auroc.estimate)} ${bounds(found.auroc)}`,
    ...[found.auprc, found.min_precision_recall, found.recall, found.specificity, found.accuracy].map(percent),
    ...[found.f1, found.f3].map(percent),
    found.cost.toFixed(3),
    found.brier.toFixed(3),
    found.calibration_error.toFixed(3),
    found.unreadable === 0
      ? "0"
      : `${found.unreadable} (AUROC ${percent(found.auroc_bounds[0])} to ${percent(found.auroc_bounds[1])})`,
  ]);
  return [
    `${first.n} closed questions, ${first.positives} yes; cost: ${first.missed_cost} for each missed, 1 for each false alarm, per question`,
    ...alignColumns([header, ...rows], 1),
  ];
}

/** A table of conventional models by the size of their training data. */
function scaleLines({ scale }: EvalSummary): string[] {
  if (scale === undefined) return [];
  const rows = scale.rows.map(({ model, n, accuracy, difference: { estimate, low, high } }) => [
    model,
    String(n),
    percent(accuracy),
    `${points(estimate)} [${points(low)}, ${points(high)}]`,
  ]);
  const from = Object.entries(scale.crossing).map(
    ([model, n]) => `${model} ${n === null ? "at no size" : `from ${n} on`}`,
  );
  return [
    ...alignColumns([["fitted to", "n", "accuracy %", "less the model's [95 %]"], ...rows], 1),
    `better than the model: ${from.join(", ")}`,
  ];
}

/** A table of gaps between groups. */
function subgroupLines({ subgroups = [] }: EvalSummary): string[] {
  const shown = (interval: Interval | null) => {
    if (interval === null) return "–";
    const { estimate, low, high } = interval;
    return `${estimate.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
  };
  const rows = subgroups.map(({ stratum, value, n, rest, ...gaps }) => [
    `${stratum} ${value}`,
    `${n} of ${n + rest}`,
    ...[gaps.disparate_impact, gaps.parity_difference, gaps.opportunity_difference, gaps.odds_difference].map(shown),
  ]);
  const header = ["yes or no by group", "n", "DI [95 %]", "SPD [95 %]", "EOD [95 %]", "AOD [95 %]"];
  return rows.length === 0 ? [] : alignColumns([header, ...rows], 1);
}

/** A table of numeric questions by distance. */
function numberLines({ numbers: predictors }: EvalSummary): string[] {
  const rows = Object.entries(predictors ?? {}).flatMap(([name, found]) =>
    found.map(({ unit, n, unreadable, mae, rmse, r2, mape, concordance }) => [
      ...[name, unit, String(n), decimals(mae, 2), decimals(rmse, 2), decimals(r2, 2)],
      ...[
        mape === null ? "–" : `${percent(mape.estimate)} ${bounds(mape)}`,
        decimals(concordance, 2),
        String(unreadable),
      ],
    ]),
  );
  const header = ["numbers", "unit", "n", "mean absolute error", "RMSE", "R²", "MAPE %", "concordance", "unreadable"];
  return rows.length === 0 ? [] : alignColumns([header, ...rows], 2);
}

/** "1.20 [0.98, 1.43]". */
function decimals(found: Interval | null, digits: number): string {
  if (found === null) return "–";
  const [estimate, low, high] = [found.estimate, found.low, found.high].map((value) => value.toFixed(digits));
  return `${estimate} [${low}, ${high}]`;
}

/** Figures that only some questions have, in percent. */
function figureLines({ figures }: EvalSummary): string[] {
  return Object.entries(figures ?? {}).map(([kind, found]) => {
    const shown = Object.entries(found!).map(([name, one]) => {
      return `${name.replaceAll("_", " ")} ${percent(one.estimate)} ${bounds(one)}`;
    });
    return `${kind}: ${shown.join(", ")}`;
  });
}

function overlapLines({ overlap, overlap_unknown: unknown }: EvalSummary): string[] {
  const notCompared = unknown === undefined ? [] : [`not compared with the training data of the run: ${unknown}`];
  if (overlap === undefined) return notCompared;
  const { unshared } = overlap;
  const rest =
    unshared === null
      ? "no question is about another"
      : `accuracy on the other ${unshared.n}: ${percent(unshared.estimate)} ${bounds(unshared)}`;
  return [`shared with the training data: ${describeOverlap(overlap)}; ${rest}`, ...notCompared];
}

function sampledLines({ sampled }: EvalSummary): string[] {
  return Object.entries(sampled?.at_k ?? {}).map(([k, { pass, majority }]) => {
    const parts = [`pass@${k} ${percent(pass.estimate)} ${bounds(pass)}`];
    return [...parts, `majority@${k} ${percent(majority.estimate)} ${bounds(majority)}`].join(", ");
  });
}

function cells(found: SubsetSummary, names: readonly string[]): string[] {
  const baselines = names.map((name) => {
    const { accuracy, difference, verdict } = found.baselines[name]!;
    const mark = { better: "+", worse: "-", open: "~" }[verdict];
    return `${percent(accuracy)} (${points(difference.estimate)} ${mark})`;
  });
  return [
    String(found.n),
    `${percent(found.accuracy.estimate)} ${bounds(found.accuracy)}`,
    percent(found.lenient_accuracy.estimate),
    percent(found.token_f1.estimate),
    `${percent(found.parse_failure_rate)} %`,
    ...baselines,
  ];
}

function bounds({ low, high }: Interval): string {
  return `[${percent(low)}, ${percent(high)}]`;
}
