/** What each reward said of sampled completions, as text for a terminal. */
import { wholePercent } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import type { RewardSamples, RewardSummary, SampledStage } from "../pipeline/check-schema.ts";

/** A terminal wants one line per completion; --json has the whole texts. */
const LONGEST_TEXT = 160;

export function formatSamples({ policy, stages }: RewardSamples): string {
  return stages.map((stage) => formatStage(stage, policy)).join("\n\n");
}

function formatStage(stage: SampledStage, policy: string): string {
  const { groups, warnings } = stage;
  const size = groups[0]?.completions.length ?? 0;
  const title = `stage ${stage.stage}, ${stage.kind}: ${groups.length} questions, ${size} completions each, from ${policy}`;
  const told = warnings.map(({ message, hint }) => `warning: ${message}. ${hint}`);
  const end = told.length > 0 ? told : ["no reward is stuck"];
  return [title, ...groups.map((group) => formatGroup(group, stage)), formatSummary(stage), ...end].join("\n\n");
}

function formatGroup(group: SampledStage["groups"][number], { summary }: SampledStage): string {
  const names = Object.keys(summary).filter((name) => name !== "reward");
  const rows = group.completions.map((completion) => [
    ...names.map((name) => shown(completion.rewards[name] ?? null)),
    shown(completion.reward),
    shown(completion.advantage),
    `${completion.tokens}${completion.finish_reason === "length" ? " cut" : ""}`,
    oneLine(completion.parsed_answer?.text ?? "-", LONGEST_TEXT / 4),
    oneLine(completion.text, LONGEST_TEXT),
  ]);
  const options = group.choices.length > 0 ? ` (${group.choices.join(" | ")})` : "";
  const question = `${group.example_id}: ${oneLine(group.question, LONGEST_TEXT)}${options}\nreference: ${group.answer}`;
  return `${question}\n${table([[...names, "sum", "advantage", "tokens", "answer", "completion"], ...rows])}`;
}

function formatSummary({ summary, truncated_fraction, zero_std_fraction }: SampledStage): string {
  const rows = Object.entries(summary).map(([name, of]: [string, RewardSummary]) => [
    of.weight === null ? "sum" : name,
    of.weight === null ? "" : String(of.weight),
    ...[of.mean, of.std, of.min, of.max].map(shown),
    wholePercent(of.zero_fraction),
    wholePercent(of.null_fraction),
  ]);
  const shares = `${wholePercent(truncated_fraction)} of completions cut, ${wholePercent(zero_std_fraction)} of groups with equal rewards`;
  return `${table([["reward", "weight", "mean", "spread", "least", "most", "zero", "null"], ...rows])}\n${shares}`;
}

function shown(value: number | null): string {
  return value === null ? "null" : String(Number(value.toFixed(3)));
}

function oneLine(text: string, longest: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

function table(rows: readonly (readonly string[])[]): string {
  return alignColumns(rows)
    .map((line) => `  ${line}`)
    .join("\n");
}
