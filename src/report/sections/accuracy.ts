/** Accuracy over the evaluations, with intervals and baselines, and paired changes between them. */

import { percent, wholePercent } from "../../core/percent.ts";
import { ANSWER_TYPES } from "../../core/records.ts";
import type { Flip, Milestone } from "../../runs/statistics-records.ts";
import { shareBar } from "../charts/bars.ts";
import { forestPlot } from "../charts/forest-plot.ts";
import { type Line, lineChart } from "../charts/line-chart.ts";
import { differenceText, intervalText, pValue } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { bestBaseline, type EvaluationLine, type RunRecord } from "../read-run.ts";
import { sideOfChange } from "../verdict.ts";
import { legend, marksOf } from "./training.ts";

/** The runs' accuracy over steps; for a single run also subsets, changes and flips. Null without an evaluation. */
export function accuracySection(runs: readonly LabelledRun[]): Html | null {
  if (runs.every(({ record }) => record.evaluations.length === 0)) return null;
  const one = runs.length === 1 ? runs[0]! : null;
  const lines = runs.map(({ label, record }, i) =>
    accuracyLine(one ? "accuracy" : label, i, record.evaluations, "overall"),
  );
  const chart = lineChart({
    title: "Accuracy on held-out questions",
    lines,
    levels: one === null ? [] : baselineLevels(one.record),
    marks: one === null ? [] : marksOf(one.record).filter(({ x: _, ...mark }) => !("alarm" in mark)),
    bounds: [0, 1],
    format: wholePercent,
  });
  const about =
    "Strictly parsed answers, one greedy completion to each question; band and whiskers are 95 % intervals over subjects.";
  return html`<section id="accuracy"><h2>Accuracy</h2>${one === null && legend(runs.map(({ label }, i) => ({ name: label, colour: i })))}<div class="charts wide"><figure><h3>Held-out questions</h3>${chart}<figcaption>${about}</figcaption></figure>${one && subsetFigure(one.record)}${one && changeFigure(one)}</div>${one && flipTable(one.statistics.flips)}</section>`;
}

/** Accuracy by question type and the data's other strata, at each milestone. */
export function strataSection(runs: readonly LabelledRun[]): Html | null {
  const some = runs.filter(({ statistics }) => statistics.strata.length > 0);
  if (some.length === 0) return null;
  return html`<section id="types"><h2>By question type</h2>${some.map(({ label, statistics }) => {
    const { milestones, strata } = statistics;
    return html`${runs.length > 1 && html`<h3>${label}</h3>`}${strata.map(({ name, rows }) => stratumTable(name, rows, milestones))}`;
  })}<p class="note">Accuracy in per cent with its 95 % interval over subjects. The change is the last stage's, paired question by question; it is coloured where its interval excludes 0 and exact tests over questions and over subjects have p below 0.05.</p></section>`;
}

function accuracyLine(name: string, colour: number, evaluations: readonly EvaluationLine[], subset: string): Line {
  const found = evaluations.flatMap(({ step, subsets }) => {
    const accuracy = subsets[subset]?.accuracy;
    return accuracy === undefined ? [] : [{ step, ...accuracy }];
  });
  const last = new Map(found.map((one) => [one.step, one])); // of a step evaluated twice, the later evaluation counts
  const points = [...last.values()].map(({ step, estimate }) => ({ x: step, y: estimate }));
  const band = [...last.values()].map(({ step, low, high }) => ({ x: step, low, high }));
  return {
    name,
    colour,
    points,
    ...(subset === "overall" ? { band, dots: points.length <= 30 } : { dots: points.length <= 30 }),
  };
}

function baselineLevels({ evaluations }: RunRecord) {
  const baselines = evaluations.at(-1)?.subsets["overall"]?.baselines ?? {};
  const best = bestBaseline(baselines);
  if (best === null) return [];
  return [{ name: `${best.name}: ${percent(best.accuracy)} %`, y: best.accuracy }];
}

function subsetFigure({ evaluations }: RunRecord): Content {
  const names = ANSWER_TYPES.filter((name) => evaluations.some(({ subsets }) => subsets[name]));
  if (names.length < 2 || evaluations.length < 2) return null;
  const lines = names.map((name, i) => accuracyLine(name, i + 1, evaluations, name));
  const chart = lineChart({ title: "Accuracy by kind of answer", lines, bounds: [0, 1], format: wholePercent });
  return html`<figure><h3>By kind of answer</h3>${chart}${legend(lines)}<figcaption>Yes or no (closed), free words (open), one of several options (choice), any of them (multi), a number (numeric).</figcaption></figure>`;
}

function changeFigure({ statistics }: LabelledRun): Content {
  const { changes, strata } = statistics;
  const whole = changes.at(-1);
  if (whole === undefined) return null;
  const stages = changes.map(({ from, to, change }, i) => ({
    label:
      i === changes.length - 1 && changes.length > 1
        ? `whole run, ${from.step} → ${to.step}`
        : `${to.stage}, step ${from.step} → ${to.step}`,
    interval: change.difference,
    main: true,
  }));
  const types = (strata[0]?.rows ?? []).flatMap(({ value, n, change }) =>
    change === null ? [] : [{ label: `${value} (${n})`, interval: change.difference }],
  );
  const plot = forestPlot({
    title: "change in accuracy",
    rows: [...stages, ...types.slice(0, 8)],
  });
  return html`<figure><h3>What changed, in percentage points</h3>${plot}<figcaption>The same questions before and after, with 95 % intervals; diamonds are all questions, squares the question types in the last stage alone.</figcaption></figure>`;
}

function stratumTable(
  name: string,
  rows: LabelledRun["statistics"]["strata"][number]["rows"],
  milestones: readonly Milestone[],
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Accuracy by ${name}"><table><caption>${name.replace(/_/g, " ")}</caption><thead><tr><th scope="col">value</th><th scope="col" class="num">n</th>${milestones.map(({ step, stage }) => html`<th scope="col">${stage === "start" ? "start" : `${stage}, step ${step}`}</th>`)}${milestones.length > 1 && html`<th scope="col" class="num">change</th>`}</tr></thead><tbody>${rows.map(
    ({ value, n, accuracies, change }) => {
      const difference = change?.difference;
      const kind = change === null ? "" : sideOfChange(change);
      return html`<tr><th scope="row">${value}</th><td class="num">${n}</td>${accuracies.map((accuracy, i) => html`<td>${accuracy && html`${shareBar(accuracy, i === accuracies.length - 1 ? 0 : 7)}<span class="figure">${intervalText(accuracy).replace(" %", "")}</span>`}</td>`)}${milestones.length > 1 && html`<td class="num ${kind}">${difference && differenceText(difference)}${change && html`<br><small>${change.won} won, ${change.lost} lost, ${pValue(change.p)}</small>`}</td>`}</tr>`;
    },
  )}</tbody></table></div>`;
}

function flipTable({ shown, won, lost }: LabelledRun["statistics"]["flips"]): Content {
  if (shown.length === 0) return null;
  const row = ({ question, answer, before, after, won: isWon }: Flip) =>
    html`<tr><td class="${isWon ? "better" : "worse"}">${isWon ? "won" : "lost"}</td><td>${question}</td><td>${answer}</td><td>${before}</td><td>${after}</td></tr>`;
  return html`<details class="flips"><summary>Questions whose outcome changed in the last stage: ${won} won, ${lost} lost</summary><div class="scroll" tabindex="0" role="region" aria-label="Questions whose outcome changed"><table><thead><tr><th scope="col"></th><th scope="col">question</th><th scope="col">reference</th><th scope="col">before</th><th scope="col">after</th></tr></thead><tbody>${shown.map(row)}</tbody></table></div></details>`;
}
