/** Several runs side by side: where each ended, the paired differences from the first as a forest plot, and how their recipes differ. */
import type { ArmComparison, Interval, PairedChange } from "../../runs/statistics-records.ts";
import { shareBar } from "../charts/bars.ts";
import { forestPlot } from "../charts/forest-plot.ts";
import { differenceText, intervalText, pValue } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import type { RunRecord } from "../read-run.ts";
import { sideOfChange } from "../verdict.ts";
import { notices, statusOf } from "./summary.ts";

/** The model before training, as the first run measured it at its start, and how it compares with that run's end. */
export interface StartComparison {
  readonly accuracy: Interval;
  readonly arm: ArmComparison;
}

export function comparisonSection(
  runs: readonly LabelledRun[],
  arms: readonly ArmComparison[],
  start: StartComparison | null,
): Html {
  const all = start === null ? arms : [start.arm, ...arms];
  return html`<section id="summary"><h2>Comparison</h2>${armTable(runs, arms, start)}${forest(runs, all)}${recipeDifferences(runs)}${runs.map(({ record, label }) => record.notices.length > 0 && html`<h3>${label}</h3>${notices(record)}`)}</section>`;
}

function armTable(runs: readonly LabelledRun[], arms: readonly ArmComparison[], start: StartComparison | null): Html {
  const byLabel = new Map(arms.map((arm) => [arm.label, arm]));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Runs compared"><table><thead><tr><th scope="col">run</th><th scope="col">accuracy at the end, % [95 % interval]</th><th scope="col" class="num">against ${runs[0]!.label}, points</th><th scope="col" class="num">won, lost, McNemar</th><th scope="col">status</th></tr></thead><tbody>${start && startRow(start)}${runs.map(
    ({ label, record }, i) => {
      const accuracy = record.evaluations.at(-1)?.subsets["overall"]?.accuracy;
      const arm = byLabel.get(label);
      const { text, kind } = statusOf(record);
      const change = arm?.change ?? null;
      return html`<tr><th scope="row"><span class="legend s${i % 8}"><span class="swatch" aria-hidden="true"></span>${label}</span></th><td>${accuracy === undefined ? "not evaluated" : accuracyCell(accuracy, i)}</td><td class="num ${verdictOf(change)}">${i === 0 ? "reference" : change === null ? (arm?.reason ?? "–") : differenceText(change.difference)}</td><td class="num">${change && wonAndLost(change)}</td><td class="${kind}">${text}</td></tr>`;
    },
  )}</tbody></table></div>`;
}

function startRow({ accuracy, arm: { label, change, reason } }: StartComparison): Html {
  return html`<tr><th scope="row">${label}</th><td>${accuracyCell(accuracy, 7)}</td><td class="num ${verdictOf(change)}">${change === null ? (reason ?? "–") : differenceText(change.difference)}</td><td class="num">${change && wonAndLost(change)}</td><td>before training</td></tr>`;
}

function accuracyCell(accuracy: Interval, colour: number): Html {
  return html`${shareBar(accuracy, colour)}<span class="figure">${intervalText(accuracy).replace(" %", "")}</span>`;
}

function verdictOf(change: PairedChange | null): string {
  return change === null ? "" : sideOfChange(change);
}

function wonAndLost({ won, lost, p }: PairedChange): string {
  return `${won}, ${lost}, ${pValue(p)}`;
}

function forest(runs: readonly LabelledRun[], arms: readonly ArmComparison[]): Content {
  const reference = runs[0]!.label;
  const rows = arms.flatMap(({ label, change }) =>
    change === null ? [] : [{ label, interval: change.difference, main: true }],
  );
  const overall = forestPlot({
    title: `difference in accuracy from ${reference}`,
    rows,
  });
  const types = [...new Set(arms.flatMap(({ strata }) => strata.map(({ value }) => value)))].slice(0, 8);
  const byType = types.map((type) => {
    const found = arms.flatMap(({ label, strata }) =>
      strata.filter(({ value }) => value === type).map(({ change }) => ({ label, interval: change.difference })),
    );
    return {
      type,
      plot: forestPlot({ title: `${type}: difference from ${reference}`, rows: found }),
    };
  });
  if (overall === null) return null;
  return html`<div class="charts wide"><figure><h3>Difference in accuracy, percentage points</h3>${overall}<figcaption>Each run against ${reference} on the same questions: paired bootstrap over subjects, 95 % intervals. An interval that crosses 0 shows no difference.</figcaption></figure></div>
${byType.length > 0 && html`<details><summary>The same by question type</summary><div class="charts">${byType.map(({ type, plot }) => html`<figure><h3>${type}</h3>${plot}</figure>`)}</div></details>`}`;
}

/** The recipe keys whose values differ between runs, except the name. */
function recipeDifferences(runs: readonly LabelledRun[]): Content {
  const flat = runs.map(({ record }) => flatten(record));
  const keys = [...new Set(flat.flatMap((recipe) => [...recipe.keys()]))];
  const different = keys.filter(
    (key) => key !== "name" && new Set(flat.map((recipe) => recipe.get(key) ?? "–")).size > 1,
  );
  if (different.length === 0) return html`<p class="note">The recipes are equal.</p>`;
  return html`<h3>How the recipes differ</h3><div class="scroll" tabindex="0" role="region" aria-label="Differences of the recipes"><table class="recipes"><thead><tr><th scope="col">key</th>${runs.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead><tbody>${different.slice(0, 60).map((key) => html`<tr><th scope="row"><code>${breakable(key)}</code></th>${flat.map((recipe) => html`<td>${breakable(recipe.get(key) ?? "–")}</td>`)}</tr>`)}</tbody></table></div>${different.length > 60 && html`<p class="note">and ${different.length - 60} more keys</p>`}`;
}

/** A key or a value that may go on in a next line after each of its words. */
function breakable(key: string): Content {
  return key.split(/(?<=[._])/).map((word, i) => [i > 0 && html`<wbr>`, word]);
}

/** Every value of the recipe by dotted key: "stages.1.beta" → "0.02". */
function flatten({ recipe }: RunRecord): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const walk = (value: unknown, path: string) => {
    if (typeof value !== "object" || value === null) found.set(path, String(value));
    else for (const [key, inner] of Object.entries(value)) walk(inner, path === "" ? key : `${path}.${key}`);
  };
  walk(recipe ?? {}, "");
  return found;
}
