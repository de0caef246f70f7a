/**
 * The Markdown page of a full report, from the two result files alone: accuracy next to every baseline, then every
 * probe.
 */
import type { EvaluationResults, ProbeResults } from "../src/evaluate/index.ts";
import { probeRows } from "../src/evaluate/index.ts";

export interface PageOptions {
  readonly title: string;
  /** A paragraph: what was evaluated, how it was trained, on which machine. */
  readonly about: string;
  /** Commands that reproduce the page. */
  readonly commands: readonly string[];
}

type Summary = EvaluationResults["protocols"][number];
type Subset = NonNullable<Summary["subsets"]["overall"]>;

export function evaluationPage(results: EvaluationResults, probed: ProbeResults, o: PageOptions): string {
  const { data, prompt } = results;
  const parts = data.image_disjoint ? [`${data.split} split, resplit by image`] : [`${data.split} split`];
  if (data.limit !== null) parts.push(`${data.limit} sampled with seed ${data.seed}`);
  const head = `Data set \`${data.name}\`, ${data.questions} questions (${parts.join(", ")}); prompt \`${prompt ?? "none"}\`.`;
  const asked = probed.probes.filter(({ skipped }) => skipped === null);
  const skipped = probed.probes.filter((probe) => probe.skipped !== null);
  return [
    `# ${o.title}`,
    o.about,
    head,
    `\`\`\`sh\n${o.commands.join("\n")}\n\`\`\``,
    "Intervals are 95 %, bootstrap over subjects. In parentheses after each baseline: the paired difference, model minus baseline.",
    ...results.protocols.map(accuracySection),
    `## Probes\n\nThe protocol is \`${probed.protocol}\`. [probes/README.md](../probes/README.md) says what each measures. Shares in percent, differences in points.`,
    ...asked.map(probeSection),
    ...(skipped.length === 0 ? [] : [`### Not applicable\n\n${skipped.map(whySkipped).join("\n")}`]),
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
  return `## Accuracy, protocol \`${protocol}\`\n\n${table(rows)}\n\n${note}`;
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
