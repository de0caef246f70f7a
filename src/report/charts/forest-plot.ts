/**
 * A forest plot as SVG: estimates with intervals on one axis, a line at no effect. A row's name stands above it, so that it
 * fits a phone, and its figures to the right of the axis. No line crosses a name or a figure: the axis' lines run beside
 * the intervals only.
 */
import type { Interval } from "../../runs/statistics-records.ts";
import { differenceText, points } from "../format.ts";
import { type Html, html } from "../html.ts";
import { at, niceDomain, niceTicks, type Scale } from "./scale.ts";

export interface ForestRow {
  readonly label: string;
  /** Differences; fractions unless the plot writes numbers in another way. */
  readonly interval: Interval;
  /** The main figure; drawn as a diamond. */
  readonly main?: boolean;
  /** Single values, such as those of seeds, as small marks below. */
  readonly dots?: readonly number[];
}

export interface ForestPlot {
  readonly title: string;
  readonly rows: readonly ForestRow[];
  /** Which way is an improvement, higher by default; null where neither is. */
  readonly better?: Better;
  /** Values drawn as dashed lines through all rows. */
  readonly lines?: readonly number[];
  /** How numbers are written; in percentage points by default. */
  readonly number?: (value: number) => string;
}

export type Better = "higher" | "lower" | null;

const width = 400;
const rowHeight = 36;
const plot = { left: 12, right: 258, top: 22 };
/** Of a row's height, what its name takes. */
const nameHeight = 16;
/** Where the column of figures ends. */
const figures = 392;

/** The plot; null without rows. */
export function forestPlot({ title, rows, better = "higher", lines = [], number = points }: ForestPlot): Html | null {
  if (rows.length === 0) return null;
  const bottom = plot.top + rows.length * rowHeight;
  const values = rows.flatMap(({ interval, dots = [] }) => [interval.low, interval.high, ...dots]);
  const scale: Scale = { domain: niceDomain([0, ...values, ...lines], 5), range: [plot.left, plot.right] };
  const zero = at(scale, 0);
  const unit = number === points ? " points" : "";
  const about = rows.map(({ label, interval }) => `${label}: ${differenceText(interval, number)}${unit}`);
  const sides = sidesOf(better);
  return html`<svg class="chart forest" viewBox="0 0 ${width} ${bottom + 24}" role="img" aria-label="${[`Forest plot: ${title}`, ...about].join(". ")}">
${zero - plot.left > 60 && html`<text class="axis" x="${zero - 6}" y="12" text-anchor="end">← ${sides[0]}</text>`}
${figures - zero > 60 && html`<text class="axis" x="${zero + 6}" y="12">${sides[1]} →</text>`}
${niceTicks(scale.domain, 5).map((tick) => tickAt(number(tick), at(scale, tick), rows.length, bottom))}
<path class="zero" d="${beside(zero, rows.length)}"/>
${lines.map((value) => html`<path class="zero" stroke-dasharray="3 3" d="${beside(at(scale, value), rows.length)}"/>`)}
${rows.map((row, i) => drawRow(row, plot.top + i * rowHeight, scale, { better, number }))}
</svg>`;
}

/** Which side of no effect an interval is on; "open" where it includes 0 or neither side is an improvement. */
export function sideOf({ low, high }: Interval, better: Better): "better" | "worse" | "open" {
  if (better === null || (low <= 0 && high >= 0)) return "open";
  return low > 0 === (better === "higher") ? "better" : "worse";
}

function sidesOf(better: Better): readonly [left: string, right: string] {
  if (better === null) return ["less", "more"];
  return better === "higher" ? ["worse", "better"] : ["better", "worse"];
}

/** A vertical line at x beside every interval, as a path. */
function beside(x: number, rows: number): string {
  const part = (_: unknown, i: number) => `M${x} ${plot.top + i * rowHeight + nameHeight}v${rowHeight - nameHeight}`;
  return Array.from({ length: rows }, part).join("");
}

function tickAt(tick: string, x: number, rows: number, bottom: number): Html {
  const anchor = x < plot.left + 12 ? "start" : x > plot.right - 12 ? "end" : "middle";
  return html`<path class="grid" d="${beside(x, rows)}"/><text class="tick" x="${x}" y="${bottom + 16}" text-anchor="${anchor}">${tick.replace(".0", "")}</text>`;
}

function drawRow(
  { label, interval, main = false, dots = [] }: ForestRow,
  top: number,
  scale: Scale,
  { better, number }: Required<Pick<ForestPlot, "better" | "number">>,
): Html {
  const y = top + 25;
  const middle = at(scale, interval.estimate);
  const verdict = sideOf(interval, better);
  const shape = main
    ? html`<polygon points="${middle - 6},${y} ${middle},${y - 6} ${middle + 6},${y} ${middle},${y + 6}"/>`
    : html`<rect x="${middle - 4}" y="${y - 4}" width="8" height="8"/>`;
  return html`<g class="row ${verdict}"><text class="row-label" x="${plot.left}" y="${top + 13}">${clipped(label, 34)}</text><text class="row-value" x="${figures}" y="${y + 4}" text-anchor="end">${differenceText(interval, number)}</text><line x1="${at(scale, interval.low)}" x2="${at(scale, interval.high)}" y1="${y}" y2="${y}"/>${dots.map((dot) => html`<line x1="${at(scale, dot)}" x2="${at(scale, dot)}" y1="${y + 7}" y2="${y + 10}"/>`)}${shape}</g>`;
}

/** Truncates labels, which come from data and recipes and must not overlap the figures. */
function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
