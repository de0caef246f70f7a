/** The report of one run, or of several side by side: one self-contained HTML file of at most 5 MB. */
import { UserError } from "../core/errors.ts";
import { replaceFile } from "../runs/durable.ts";
import type { ArmComparison, RewardCorrelation, RunStatistics } from "../runs/statistics-records.ts";
import { type Content, html } from "./html.ts";
import type { LabelledRun } from "./labelled-run.ts";
import { renderPage } from "./page.ts";
import { type RunRecord, readableLines, readRun } from "./read-run.ts";
import { type RolloutSample, sampleRollouts } from "./rollout-sample.ts";
import { accuracySection, strataSection } from "./sections/accuracy.ts";
import { comparisonSection, type StartComparison } from "./sections/comparison.ts";
import { configurationSection, oneLine } from "./sections/configuration.ts";
import { eventSection } from "./sections/events.ts";
import { figuresSection } from "./sections/figures.ts";
import { reasoningSection } from "./sections/reasoning.ts";
import { rewardSection } from "./sections/rewards.ts";
import { rolloutSection } from "./sections/rollouts.ts";
import { subgroupSection } from "./sections/subgroups.ts";
import { statusOf, summarySection } from "./sections/summary.ts";
import { trainingSection } from "./sections/training.ts";
import { type ImageSource, type Thumbnail, thumbnails } from "./thumbnails.ts";

/** A run to report on, with its statistics. */
export interface ReportedRun {
  readonly folder: string;
  /** Distinguishes the runs of a report. */
  readonly label: string;
  readonly statistics: RunStatistics;
  readonly rewards: readonly RewardCorrelation[];
  /** Source of the images in its rollouts. */
  readonly images: ImageSource;
}

/** Byte budget for rollouts and for images: a report stays below 5 MB, small enough to e-mail. */
const rolloutBudget = 2_600_000;
const imageBudget = 1_400_000;
/** Number of steps with rollouts, and of groups per superlative, for a single run; several runs share them. */
const shownSteps = 9;
const shownEach = 4;

/** What the runs of a report are compared with, which is the end of the first. */
export interface Comparisons {
  /** The later runs. */
  readonly arms: readonly ArmComparison[];
  /** The first run's own start; null where it was not evaluated. */
  readonly start: ArmComparison | null;
}

/** Writes the report to `file`; returns its size in bytes. */
export async function writeReport(
  runs: readonly ReportedRun[],
  comparisons: Comparisons,
  file: string,
): Promise<number> {
  const page = await renderReport(runs, comparisons);
  replaceFile(file, page);
  return Buffer.byteLength(page);
}

async function renderReport(runs: readonly ReportedRun[], { arms, start }: Comparisons): Promise<string> {
  if (runs.length === 0) throw new UserError("report: name at least one run");
  const sampled = runs.map((run) => readWithSample(run, runs.length));
  const images = await allThumbnails(runs, sampled);
  const labelled = sampled.map(({ run }) => run);
  const one = labelled.length === 1 ? labelled[0]! : null;
  return renderPage({
    title: one?.record.name ?? `${labelled.length} runs: ${labelled.map(({ label }) => label).join(", ")}`,
    heading: one
      ? heading(one.record)
      : html`<p class="sub">Differences are from the first, ${labelled[0]!.label}.</p>`,
    sections: [
      one ? summarySection(one) : comparisonSection(labelled, arms, startOf(labelled[0]!, start)),
      accuracySection(labelled),
      trainingSection(labelled),
      rewardSection(labelled),
      strataSection(labelled),
      figuresSection(labelled),
      reasoningSection(labelled),
      subgroupSection(labelled),
      rolloutSection(
        sampled.map(({ run, sample }) => ({ label: run.label, sample })),
        images,
        rolloutBudget,
      ),
      eventSection(labelled),
      configurationSection(labelled),
    ],
    footer: "Made by viva report. viva is a research tool; models trained with it are not medical devices.",
  });
}

function startOf({ record }: LabelledRun, arm: ArmComparison | null): StartComparison | null {
  const accuracy = record.evaluations[0]?.subsets["overall"]?.accuracy;
  return arm === null || accuracy === undefined ? null : { accuracy, arm };
}

function readWithSample(
  { folder, label, statistics, rewards }: ReportedRun,
  runs: number,
): { readonly run: LabelledRun; readonly sample: RolloutSample } {
  const record = readRun(folder);
  const notices: string[] = [];
  const limits = {
    steps: Math.max(3, Math.floor(shownSteps / runs)),
    each: Math.max(1, Math.floor(shownEach / runs)),
  };
  const sample = sampleRollouts(readableLines(record.paths.rollouts, notices), limits);
  if (sample.unreadable > 0) notices.push(`rollouts.jsonl: ${sample.unreadable} rows are not rollout groups`);
  return {
    run: { label, statistics, rewards, record: { ...record, notices: [...record.notices, ...notices] } },
    sample,
  };
}

/** Thumbnails of all shown images within the budget; images beyond it show as not found. */
async function allThumbnails(
  runs: readonly ReportedRun[],
  sampled: readonly { readonly sample: RolloutSample }[],
): Promise<ReadonlyMap<string, Thumbnail>> {
  const all = new Map<string, Thumbnail>();
  let bytes = 0;
  for (const [i, { sample }] of sampled.entries()) {
    const paths = sample.chosen.flatMap(({ group }) => [
      ...group.images.map(({ path }) => path),
      ...group.completions.flatMap(({ turns = [] }) =>
        turns.flatMap(({ observation }) => observation?.image?.path ?? []),
      ),
    ]);
    for (const [path, made] of await thumbnails(paths, runs[i]!.images)) {
      if (all.has(path) || bytes + made.url.length > imageBudget) continue;
      all.set(path, made);
      bytes += made.url.length;
    }
  }
  return all;
}

function heading(record: RunRecord): Content {
  const { text, kind } = statusOf(record);
  const created = record.environment?.["created"];
  const day = typeof created === "string" ? created.slice(0, 16).replace("T", " ") : null;
  return html`<p class="sub"><span class="badge ${kind}">${text}</span> ${day && `started ${day} UTC · `}${oneLine(record)}</p>`;
}
