/** The report of a study: one HTML file with a section per dimension, from study.json and the runs' metrics. */
import { join } from "node:path";
import { replaceFile } from "../runs/durable.ts";
import { isRun } from "../runs/run-folder.ts";
import type { StudyResults } from "../runs/study-results.ts";
import { capital } from "./format.ts";
import { type Html, html } from "./html.ts";
import type { ArmRecords } from "./labelled-run.ts";
import { renderPage } from "./page.ts";
import { readRun } from "./read-run.ts";
import { dimensionSection } from "./sections/study-dimension.ts";
import { effectSection } from "./sections/study-effects.ts";
import { generalisationSection } from "./sections/study-generalisation.ts";
import { predictionSection, reasoningSection } from "./sections/study-predictions.ts";
import { retentionSection } from "./sections/study-retention.ts";
import { costSection, figureSection, overviewSection, runSection } from "./sections/study-tables.ts";

/** Where a study's results go; `folder` is the study's. */
export interface StudyFiles {
  readonly folder: string;
  readonly results: string;
  readonly report: string;
}

/** Writes a study's results as JSON, and the report on them. */
export function writeStudyFiles(results: StudyResults, { folder, results: json, report }: StudyFiles): void {
  replaceFile(json, `${JSON.stringify(results, null, 2)}\n`);
  const arms = results.arms.map((arm): ArmRecords => {
    const finished = arm.runs.filter(({ status }) => status === "finished").map((run) => join(folder, run.folder));
    return { arm, records: finished.filter(isRun).map(readRun) };
  });
  replaceFile(report, render(results, arms));
}

function render(results: StudyResults, arms: readonly ArmRecords[]): string {
  const { reference } = results;
  const dimensions = [...new Set(results.arms.flatMap((arm) => arm.dimensions))];
  const sections = dimensions.map((dimension, i) => {
    const own = arms.filter(({ arm }) => arm.name === reference || arm.dimensions.includes(dimension));
    return dimensionSection({ id: `dimension-${i}`, dimension, arms: referenceFirst(own, reference), reference });
  });
  return renderPage({
    title: results.name,
    heading: heading(results),
    names: {
      predictions: "Predictions",
      overview: "Ranking",
      effects: "Main effects",
      ...Object.fromEntries(dimensions.map((dimension, i) => [`dimension-${i}`, capital(dimension)])),
      retention: "Retention",
      generalisation: "Generalisation",
      reasoning: "Reasoning",
      costs: "Costs",
      figures: "Further figures",
      runs: "Runs",
    },
    sections: [
      predictionSection(results),
      overviewSection(results),
      effectSection(results),
      ...sections,
      retentionSection(results),
      generalisationSection(results),
      reasoningSection(results),
      costSection(results),
      figureSection(results),
      runSection(results),
    ],
    footer: "Made by viva study. viva is a research tool; models trained with it are not medical devices.",
  });
}

function referenceFirst(arms: readonly ArmRecords[], reference: string): readonly ArmRecords[] {
  return [...arms.filter(({ arm }) => arm.name === reference), ...arms.filter(({ arm }) => arm.name !== reference)];
}

function heading({ about, seeds, arms, created }: StudyResults): Html {
  const runs = arms.flatMap((arm) => arm.runs);
  const finished = runs.filter(({ status }) => status === "finished").length;
  const kind = finished === runs.length ? "good" : runs.some(({ status }) => status === "failed") ? "bad" : "open";
  return html`<p class="sub"><span class="badge ${kind}">${finished} of ${runs.length} runs finished</span> ${arms.length} arms, seeds ${seeds.join(", ")} · ${created.slice(0, 16).replace("T", " ")} UTC</p>${about && html`<p class="lead">${about}</p>`}`;
}
