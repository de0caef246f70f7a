/**
 * The Markdown page of a full report, from the two result files alone: accuracy next to every baseline with the verdict,
 * yes/no questions as a test, conventional models by size, then every probe.
 */
import type { EvaluationResults, ProbeResults } from "../src/evaluate/index.ts";
import { probeRows } from "../src/evaluate/index.ts";
import { verdictSentence } from "../src/runs/verdict.ts";

export interface PageOptions {
  readonly title: string;
  /** A paragraph: what was evaluated, how it was trained, on which machine. */
  readonly about: string;
  /** Commands that reproduce the page. */
  readonly commands: readonly string[];
}

type Summary = EvaluationResults["protocols"][number];
type Subset = NonNullable<Summary["subsets"]["overall"]>;

/** Without probes their sections are left out. */
export function evaluationPage(results: EvaluationResults, probed: ProbeResults | null, o: PageOptions): string {
  const { data, prompt } = results;
  const parts = data.image_disjoint ? [`${data.split} split, resplit by image`] : [`${data.split} split`];
  if (data.limit !== null) parts.push(`${data.limit} sampled with seed ${data.seed}`);
  const head = `Data set \`${data.name}\`, ${data.questions} questions (${parts.join(", ")}); prompt \`${prompt ?? "none"}\`.`;
  return [
    `# ${o.title}`,
    o.about,
    head,
    `\`\`\`sh\n${o.commands.join("\n")}\n\`\`\``,
    "Intervals are 95 %, bootstrap over subjects. In parentheses after each baseline: the paired difference, model minus baseline.",
    ...results.protocols.flatMap((one) => [accuracySection(one), yesNoSection(one), scaleSection(one)]),
    ...(probed === null ? [] : probeSections(probed)),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
    .concat("\n");
}

function accuracySection({ protocol, subsets }: Summary): string {
  const shown = Object.entries(subsets) as [string, Subset][];
  const baselines = Object.keys(shown[0]?.[1].baselines ?? {});
  const rows = [
    ["", ...shown.map(([name, { n }]) => `${name} (${n})`)],
    ["**accuracy**", ...shown.map(([, one]) => withBounds(one.accuracy))],
    ["lenient accuracy", ...shown.map(([, one]) => withBounds(one.lenient_accuracy))],
    ["token F1", ...shown.map(([, one]) => withBounds(one.token_f1))],
    ["BLEU-1", ...shown.map(([, one]) => withBounds(one.bleu_1))],
    ["ROUGE-L", ...shown.map(([, one]) => withBounds(one.rouge_l))],
    ["parse failures", ...shown.map(([, one]) => percent(one.parse_failure_rate))],
    ["detectable difference", ...shown.map(([, one]) => detectable(one))],
    ...baselines.map((name) => [name.replaceAll("_", " "), ...shown.map(([, one]) => withDifference(one, name))]),
  ];
  const note =
    "*Detectable difference*: points by which two models with independent errors must differ to be told apart.";
  const verdict = subsets.overall?.verdict;
  const judged = verdict === undefined ? "" : `\n\n**Verdict**: ${verdictSentence(verdict)}`;
  return `## Accuracy, protocol \`${protocol}\`\n\n${table(rows)}\n\n${note}${judged}`;
}

/** Closed questions as a test; nothing where no probabilities were asked for. */
function yesNoSection({ yes_no: predictors }: Summary): string {
  if (predictors === undefined) return "";
  const head = [
    "",
    "AUROC",
    "AUPRC",
    "min(P, Se)",
    "recall",
    "specificity",
    "F1",
    "F3",
    "cost",
    "Brier",
    "calibration error",
    "unreadable",
  ];
  const rows = Object.entries(predictors).map(([name, one]) => [
    name.replaceAll("_", " "),
    withBounds(one.auroc),
    ...[one.auprc, one.min_precision_recall, one.recall, one.specificity, one.f1, one.f3].map(percent),
    ...[one.cost, one.brier, one.calibration_error].map((value) => value.toFixed(3)),
    String(one.unreadable),
  ]);
  const { n, positives, missed_cost: missed } = Object.values(predictors)[0]!;
  const about = `${n} closed questions, ${positives} of them yes. A missed yes costs ${missed}, a false alarm 1.`;
  return `### Yes or no as a test\n\n${about}\n\n${table([head, ...rows])}`;
}

/** Conventional models fitted to parts of the training data. */
function scaleSection({ scale }: Summary): string {
  if (scale === undefined) return "";
  const points = (value: number) => `${value > 0 ? "+" : ""}${percent(value)}`;
  const rows = scale.rows.map(({ model, n, draws, accuracy, difference: { estimate, low, high } }) => {
    return [
      model,
      String(n),
      String(draws),
      percent(accuracy),
      `${points(estimate)} [${points(low)}, ${points(high)}]`,
    ];
  });
  const from = Object.entries(scale.crossing).map(
    ([name, n]) => `${name} ${n === null ? "at no size" : `from ${n} on`}`,
  );
  const crossing = `Better than the model: ${from.join(", ")}.`;
  return `### Conventional models by size\n\n${table([["fitted to", "n", "draws", "accuracy", "less the model's"], ...rows])}\n\n${crossing}`;
}

function probeSections(probed: ProbeResults): readonly string[] {
  const asked = probed.probes.filter(({ skipped }) => skipped === null);
  const skipped = probed.probes.filter((probe) => probe.skipped !== null);
  return [
    `## Probes\n\nThe protocol is \`${probed.protocol}\`. [probes/README.md](../probes/README.md) says what each measures. Shares in percent, differences in points.`,
    ...asked.map(probeSection),
    ...(skipped.length === 0 ? [] : [`### Not applicable\n\n${skipped.map(whySkipped).join("\n")}`]),
  ];
}

function withDifference({ baselines }: Subset, name: string): string {
  const found = baselines[name];
  if (found === undefined) return "";
  const { difference } = found;
  const points = (value: number) => `${value > 0 ? "+" : ""}${percent(value)}`;
  return `${percent(found.accuracy)} (${points(difference.estimate)} [${points(difference.low)}, ${points(difference.high)}])`;
}

function detectable({ detectable_difference: least }: Subset): string {
  return least === null ? "" : percent(least);
}

function probeSection(probe: ProbeResults["probes"][number]): string {
  const heading = `### [${probe.probe}](../probes/${probe.probe}.md)\n\n${sentence(probe.title)}`;
  return `${heading}\n\n${table([["measure", "condition", "n", "estimate [interval]"], ...probeRows(probe)])}`;
}

function whySkipped({ probe, skipped }: ProbeResults["probes"][number]): string {
  return `- ${probe}: ${skipped}`;
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function withBounds({ estimate, low, high }: Subset["accuracy"]): string {
  return `${percent(estimate)} [${percent(low)}, ${percent(high)}]`;
}

function percent(value: number): string {
  return (100 * value).toFixed(1);
}

function table([head, ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head!), `|${head!.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
