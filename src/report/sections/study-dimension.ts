/**
 * One dimension of a study: a forest plot of differences from the reference, accuracies, and the curves of its arms.
 */
import { meanOf } from "../../core/mean.ts";
import { percent } from "../../core/percent.ts";
import { shareBar } from "../charts/bars.ts";
import { forestPlot } from "../charts/forest-plot.ts";
import { type Line, lineChart } from "../charts/line-chart.ts";
import { MAX_POINTS, type Point, runningMean, trendWindow } from "../charts/series.ts";
import { capital, differenceText, intervalText, short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { ArmRecords } from "../labelled-run.ts";
import { isRollout, metricPoints, type RunRecord } from "../read-run.ts";
import { legend } from "./training.ts";

export interface Dimension {
  readonly id: string;
  readonly dimension: string;
  /** The reference first. */
  readonly arms: readonly ArmRecords[];
  readonly reference: string;
}

const curves = [
  { key: "reward/mean", title: "Reward", about: "Weighted sum; not comparable between arms with different rewards." },
  {
    key: "reward/accuracy/mean",
    title: "Reward: accuracy",
    about: "Fraction of sampled completions that are correct.",
  },
  { key: "completion/length_mean", title: "Completion length", about: "Mean tokens per completion." },
  {
    key: "policy/kl",
    title: "KL from the reference policy",
    about: "Nats per token; only for stages with a reference.",
  },
  { key: "policy/entropy", title: "Entropy", about: "Nats per token." },
] as const;

export function dimensionSection({ id, dimension, arms, reference }: Dimension): Html {
  const rows = arms.flatMap(({ arm: { name, difference } }) =>
    difference === null ? [] : [{ label: name, interval: difference, main: true }],
  );
  const forest = forestPlot({ title: `${dimension}: difference from ${reference}`, rows });
  const charts = curves.map((curve) => curveFigure(arms, curve)).filter((chart) => chart !== null);
  return html`<section id="${id}"><h2>${capital(dimension)}</h2>
${forest && html`<div class="charts wide"><figure><h3>Difference in accuracy, percentage points</h3>${forest}<figcaption>Each arm against ${reference} on the same questions of the same seeds, pooled over seeds; 95 % intervals over subjects and seeds. An interval that includes 0 shows no difference.</figcaption></figure></div>`}
${accuracyTable(arms, reference)}
${charts.length > 0 && html`${legend(arms.map(({ arm: { name } }, i) => ({ name, colour: i })))}<div class="charts">${charts}</div><p class="note">Curves: running means, averaged over seeds; the band reaches from the lowest to the highest seed. Steps count from the first that samples completions.</p>`}</section>`;
}

function accuracyTable(arms: readonly ArmRecords[], reference: string): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Accuracy by arm"><table><thead><tr><th scope="col">arm</th><th scope="col">accuracy, % [95 % interval]</th><th scope="col" class="num">by seed</th><th scope="col" class="num">against ${reference}, points</th><th scope="col" class="num">p, Holm</th></tr></thead><tbody>${arms.map(
    ({ arm: { name, about, accuracy, runs, difference } }, i) => {
      const seeds = runs.map((run) => (run.accuracy === null ? run.status : percent(run.accuracy))).join(", ");
      const verdict = difference === null ? "" : difference.low > 0 ? "better" : difference.high < 0 ? "worse" : "";
      return html`<tr><th scope="row"><span class="legend s${i % 8}"><span class="swatch" aria-hidden="true"></span>${name}</span>${about && html`<br><small>${about}</small>`}</th><td>${accuracy === null ? "none" : html`${shareBar(accuracy, i)}<span class="figure">${intervalText(accuracy).replace(" %", "")}</span>`}</td><td class="num">${seeds}</td><td class="num ${verdict}">${name === reference ? "reference" : difference === null ? "–" : differenceText(difference)}</td><td class="num">${difference?.p_holm.toFixed(3)}</td></tr>`;
    },
  )}</tbody></table></div>`;
}

function curveFigure(arms: readonly ArmRecords[], { key, title, about }: (typeof curves)[number]): Content {
  const lines = arms.flatMap(({ arm, records }, i) => lineOf(arm.name, i, records, key));
  const chart = lineChart({ title, lines, format: short });
  return chart === null ? null : html`<figure><h3>${title}</h3>${chart}<figcaption>${about}</figcaption></figure>`;
}

/** Mean of the seeds' running means, with the range over seeds as a band. */
function lineOf(name: string, colour: number, records: readonly RunRecord[], key: string): readonly Line[] {
  const bySeed = records.map((record) => trend(record, key)).filter((points) => points.length > 0);
  const at = new Map<number, number[]>();
  for (const { x, y } of bySeed.flat()) at.set(x, [...(at.get(x) ?? []), y]);
  const steps = [...at].filter(([, values]) => values.length === bySeed.length).sort(([a], [b]) => a - b);
  if (steps.length === 0) return [];
  const points = steps.map(([x, values]) => ({ x, y: meanOf(values) }));
  const kept = new Set(
    points.length > MAX_POINTS
      ? points.filter((_, i) => i % Math.ceil(points.length / MAX_POINTS) === 0).map(({ x }) => x)
      : points.map(({ x }) => x),
  );
  const band = steps.map(([x, values]) => ({ x, low: Math.min(...values), high: Math.max(...values) }));
  const line = { name, colour, points: points.filter(({ x }) => kept.has(x)) };
  return [bySeed.length > 1 ? { ...line, band: band.filter(({ x }) => kept.has(x)) } : line];
}

function trend(record: RunRecord, key: string): readonly Point[] {
  const points = metricPoints(record, key, isRollout).filter(({ y }) => Number.isFinite(y));
  const first = record.metrics.find(isRollout)?.["step"];
  const shifted = points.map(({ x, y }) => ({ x: x - Number(first) + 1, y }));
  return runningMean(shifted, trendWindow(shifted.length));
}
