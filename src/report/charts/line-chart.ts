/**
 * A line chart as SVG: lines with bands, and marks at steps. Drawn at phone width, so that its text is never smaller
 * than specified; a wider page scales it up. Colours are classes of the style sheet, which has a light and a dark
 * theme.
 */
import { short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import { at, niceDomain, niceTicks, type Scale } from "./scale.ts";
import type { Point } from "./series.ts";

export interface Line {
  readonly name: string;
  /** Index into the palette. */
  readonly colour: number;
  readonly points: readonly Point[];
  /** Interval at each point, drawn as an area, plus whiskers if points are few. */
  readonly band?: readonly { readonly x: number; readonly low: number; readonly high: number }[];
  /** The values behind a smoothed line, drawn faintly. */
  readonly noise?: readonly Point[];
  readonly dots?: boolean;
}

export interface LineChart {
  readonly title: string;
  readonly lines: readonly Line[];
  /** Reference values, such as a baseline: dashed, across the whole width. */
  readonly levels?: readonly { readonly name: string; readonly y: number }[];
  /** Marked steps. */
  readonly marks?: readonly { readonly x: number; readonly label: string; readonly alarm?: boolean }[];
  /** Limits that the axis need not exceed: [0, 1] for shares. */
  readonly bounds?: readonly [number, number];
  readonly format?: (value: number) => string;
}

const width = 400;
const height = 230;
const plot = { left: 46, right: 390, top: 16, bottom: 200 };

/** The chart; null without points. A mark at the first step carries no information and is omitted. */
export function lineChart(chart: LineChart): Html | null {
  const { lines, levels = [], marks = [], format = short } = chart;
  const points = lines.flatMap(({ points }) => points);
  if (points.length === 0) return null;
  const x: Scale = { domain: stepDomain(points), range: [plot.left + 4, plot.right - 4] };
  const y: Scale = { domain: valueDomain(chart), range: [plot.bottom, plot.top] };
  const shown = marks.filter((mark) => mark.x > x.domain[0] && mark.x <= x.domain[1]);
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" tabindex="0"
 aria-label="${describe(chart, format)}" data-chart="${chartData(chart, x, format)}">
${niceTicks(y.domain, 4).map((tick) => {
  const py = at(y, tick);
  return html`<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${py}" y2="${py}"/><text class="tick" x="${plot.left - 6}" y="${py + 4}" text-anchor="end">${format(tick)}</text>`;
})}
${niceTicks(x.domain, 5, true).map((tick) => html`<text class="tick" x="${at(x, tick)}" y="${plot.bottom + 16}" text-anchor="middle">${tick}</text>`)}
<text class="axis" x="${plot.right}" y="${height - 2}" text-anchor="end">step</text>
${labelled(shown, x).map(({ mark, px, hasLabel }) => markAt(mark, px, hasLabel))}
${lines.map((line) => drawLine(line, x, y))}
${levels.map((level) => levelAt(level, at(y, level.y), startsFarther(lines, level.y)))}
<line class="cursor" x1="0" x2="0" y1="${plot.top}" y2="${plot.bottom}" visibility="hidden"/>
</svg>`;
}

function drawLine({ colour, points, band = [], noise = [], dots = false }: Line, x: Scale, y: Scale): Content {
  const area = [
    ...band.map(({ x: step, high }) => ({ x: step, y: high })),
    ...[...band].reverse().map(({ x: step, low }) => ({ x: step, y: low })),
  ];
  const whiskers = dots ? band : [];
  return html`<g class="s${colour % 8}">
${area.length > 0 && html`<polygon class="band" points="${path(area, x, y)}"/>`}
${noise.length > 0 && html`<polyline class="noise" points="${path(noise, x, y)}"/>`}
<polyline class="line" points="${path(points, x, y)}"/>
${whiskers.map(({ x: step, low, high }) => html`<line class="whisker" x1="${at(x, step)}" x2="${at(x, step)}" y1="${at(y, low)}" y2="${at(y, high)}"/>`)}
${(dots || points.length === 1) && points.map((point) => html`<circle class="dot" r="3.5" cx="${at(x, point.x)}" cy="${at(y, point.y)}"/>`)}
</g>`;
}

type Mark = NonNullable<LineChart["marks"]>[number];

/** About the width of a letter of a label. */
const letter = 6;

/** The marks with their places; one whose label would lie over another's keeps its line alone, stages before alarms. */
function labelled(marks: readonly Mark[], x: Scale) {
  const taken: (readonly [number, number])[] = [];
  const inOrder = [...marks].sort((a, b) => Number(a.alarm === true) - Number(b.alarm === true));
  return inOrder.map((mark) => {
    const px = at(x, mark.x);
    const width = letter * mark.label.length + 3;
    const [from, to] = isAtEnd(px) ? [px - width, px] : [px, px + width];
    const hasLabel = taken.every(([low, high]) => to < low || from > high);
    if (hasLabel) taken.push([from, to]);
    return { mark, px, hasLabel };
  });
}

function isAtEnd(px: number): boolean {
  return px > (plot.left + plot.right) / 2;
}

function markAt(mark: Mark, px: number, hasLabel: boolean): Html {
  const [anchor, tx] = isAtEnd(px) ? ["end", px - 3] : ["start", px + 3];
  return html`<line class="mark${mark.alarm ? " alarm" : ""}" x1="${px}" x2="${px}" y1="${plot.top - 8}" y2="${plot.bottom}"/>${hasLabel && html`<text class="mark-label" x="${tx}" y="${plot.top - 4}" text-anchor="${anchor}">${mark.label}</text>`}`;
}

/** Whether the lines are farther from a level at their start than at their end: its label is then placed there. */
function startsFarther(lines: readonly Line[], level: number): boolean {
  const distance = (point: Point | undefined) => (point === undefined ? 0 : Math.abs(point.y - level));
  const nearest = (of: (line: Line) => Point | undefined) => Math.min(...lines.map((line) => distance(of(line))));
  return nearest(({ points }) => points[0]) > nearest(({ points }) => points.at(-1));
}

/** A level's name stands above it, or below where the names of marks are. */
function levelAt({ name }: { readonly name: string }, py: number, left: boolean): Html {
  const y = py < plot.top + 12 ? py + 12 : py - 4;
  return html`<line class="level" x1="${plot.left}" x2="${plot.right}" y1="${py}" y2="${py}"/><text class="level-label" x="${left ? plot.left + 4 : plot.right}" y="${y}" text-anchor="${left ? "start" : "end"}">${name}</text>`;
}

function path(points: readonly Point[], x: Scale, y: Scale): string {
  return points.map((point) => `${at(x, point.x)},${at(y, point.y)}`).join(" ");
}

function stepDomain(points: readonly Point[]): readonly [number, number] {
  const steps = points.map(({ x }) => x);
  const [low, high] = [Math.min(...steps), Math.max(...steps)];
  return low === high ? [low - 1, high + 1] : [low, high];
}

function valueDomain({ lines, levels = [], bounds }: LineChart): readonly [number, number] {
  const values = lines.flatMap(({ points, band = [], noise = [] }) => [
    ...points.map(({ y }) => y),
    ...noise.map(({ y }) => y),
    ...band.flatMap(({ low, high }) => [low, high]),
  ]);
  const [low, high] = niceDomain([...values, ...levels.map(({ y }) => y)], 4);
  if (bounds === undefined) return [low, high];
  return [Math.max(low, bounds[0]), Math.min(high, Math.max(bounds[1], low + (high - low) / 4))];
}

/** The text alternative for screen readers. */
function describe({ title, lines, levels = [] }: LineChart, format: (value: number) => string): string {
  const about = lines.map(({ name, points }) => {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined) return `${name}: no values`;
    return `${name}: ${format(first.y)} at step ${Math.round(first.x)}, ${format(last.y)} at step ${Math.round(last.x)}`;
  });
  return [`Line chart: ${title}`, ...about, ...levels.map(({ name, y }) => `${name}: ${format(y)}`)].join(". ");
}

/** Data for the page's script, which shows values under the pointer: positions and texts. */
function chartData({ lines }: LineChart, x: Scale, format: (value: number) => string): string {
  return JSON.stringify(
    lines.map(({ name, points }) => ({
      name,
      x: points.map((point) => at(x, point.x)),
      text: points.map((point) => `step ${Math.round(point.x)}: ${format(point.y)}`),
    })),
  );
}
