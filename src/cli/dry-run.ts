/** viva train --dry-run: samples a few questions, prints what each reward says, and leaves nothing behind. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { type DryRun, type DryStage, dryRun, type RewardSummary } from "../pipeline/dry-run.ts";
import { loadRecipe } from "../recipes/load.ts";
import { openSession } from "../session/session.ts";
import { downloadReporter } from "./options.ts";

export interface DryRunOptions {
  readonly set: readonly string[];
  readonly prompts?: number;
  readonly checkpoint?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Questions per stage unless --prompts says otherwise. */
const PROMPTS = 4;
/** A terminal wants one line per completion; --json has the whole texts. */
const LONGEST_TEXT = 160;

export async function printDryRun(
  recipeFile: string | undefined,
  options: DryRunOptions,
  signal: AbortSignal,
): Promise<void> {
  if (recipeFile === undefined) throw new UserError("train --dry-run: name a recipe");
  const { recipe } = loadRecipe(recipeFile, options.set);
  const folder = mkdtempSync(join(tmpdir(), "viva-dry-run-")); // a judge's replies go here
  try {
    const session = await openSession(recipe, folder, { reporter: downloadReporter(), signal });
    try {
      const { prompts = PROMPTS, checkpoint = null } = options;
      const result = await dryRun(session.recipe, session, { prompts, checkpoint, signal });
      console.log(options.json ? JSON.stringify(result) : formatDryRun(result, options.quiet ?? false));
    } finally {
      await session.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** For a reader; `quiet` leaves only the warnings. */
export function formatDryRun({ policy, stages }: DryRun, quiet = false): string {
  return stages.map((stage) => formatStage(stage, policy, quiet)).join("\n\n");
}

function formatStage(stage: DryStage, policy: string, quiet: boolean): string {
  const { groups, warnings } = stage;
  const size = groups[0]?.completions.length ?? 0;
  const title = `stage ${stage.stage}, ${stage.kind}: ${groups.length} questions, ${size} completions each, from ${policy}`;
  const told = warnings.map(({ message, hint }) => `warning: ${message}. ${hint}`);
  if (quiet) return told.join("\n");
  const end = told.length > 0 ? told : ["no reward is stuck"];
  return [title, ...groups.map((group) => formatGroup(group, stage)), formatSummary(stage), ...end].join("\n\n");
}

function formatGroup(group: DryStage["groups"][number], { summary }: DryStage): string {
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
  return `${question}\n${table([...names, "sum", "advantage", "tokens", "answer", "completion"], rows)}`;
}

function formatSummary({ summary, truncated_fraction, zero_std_fraction }: DryStage): string {
  const percent = (value: number) => `${Math.round(100 * value)} %`;
  const rows = Object.entries(summary).map(([name, of]: [string, RewardSummary]) => [
    of.weight === null ? "sum" : name,
    of.weight === null ? "" : String(of.weight),
    ...[of.mean, of.std, of.min, of.max].map(shown),
    percent(of.zero_fraction),
    percent(of.null_fraction),
  ]);
  const shares = `${percent(truncated_fraction)} of completions cut, ${percent(zero_std_fraction)} of groups with equal rewards`;
  return `${table(["reward", "weight", "mean", "spread", "least", "most", "zero", "null"], rows)}\n${shares}`;
}

function shown(value: number | null): string {
  return value === null ? "null" : String(Number(value.toFixed(3)));
}

function oneLine(text: string, longest: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

/** Columns two blanks apart; the last is left as it is. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join("  "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n");
}
