/** Drawings of a page as SVG files that stand alone: a line chart from its numbers, and any drawing with its colours written in. */
import type { Interval } from "../../src/runs/statistics-records.ts";
import { short } from "../format.ts";
import type { Series } from "./chart.tsx";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 320, 70, 30, 30];
const colours = ["#1f6fc4", "#c2570c", "#1c8050", "#8a45b5", "#b8346e", "#0f7f8c", "#7a6a1f", "#6d7681"];
/** Series are told apart by dash as well. */
export const dashes = ["", "6 3", "2 3", "10 3 2 3", "4 4", "1 2"];

/** The chart in light colours, with its interval as a band and a legend below. */
export function chartSvg(title: string, steps: readonly number[], series: readonly Series[]): string {
  const values = series.flatMap(({ values, low = [], high = [] }) => [...values, ...low, ...high]).filter((value) => value !== null);
  const [least, most] = values.reduce(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const [first, last] = [steps[0] ?? 0, steps.at(-1) ?? 1];
  const x = (step: number) => (LEFT + ((WIDTH - LEFT - 10) * (step - first)) / (last - first || 1)).toFixed(1);
  const y = (value: number) => (HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (value - least)) / (most - least || 1)).toFixed(1);
  const points = (column: readonly (number | null)[]) =>
    column.flatMap((value, i) => (value === null ? [] : [`${x(steps[i]!)},${y(value)}`]));
  const lines = series.map(({ name, values, low, high }, i) => {
    const colour = colours[i % colours.length];
    const band =
      low === undefined
        ? ""
        : `<polygon points="${[...points(low), ...points(high!).reverse()].join(" ")}" fill="${colour}" opacity="0.15"/>`;
    const line = `<polyline points="${points(values).join(" ")}" fill="none" stroke="${colour}" stroke-width="1.8" stroke-dasharray="${dashes[i % dashes.length]}"/>`;
    const at = HEIGHT + 16 + 18 * i;
    const key = `<line x1="${LEFT}" x2="${LEFT + 24}" y1="${at - 4}" y2="${at - 4}" stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes[i % dashes.length]}"/>`;
    return `${band}${line}${key}<text x="${LEFT + 32}" y="${at}">${escaped(name)}</text>`;
  });
  const axes = [least, (least + most) / 2, most].map((value) => {
    return `<line x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(value)}" y2="${y(value)}" stroke="#dfe3e8"/><text x="${LEFT - 6}" y="${y(value)}" text-anchor="end">${short(value)}</text>`;
  });
  const ends = `<text x="${LEFT}" y="${HEIGHT - 8}">step ${first}</text><text x="${WIDTH - 10}" y="${HEIGHT - 8}" text-anchor="end">${last}</text>`;
  const height = HEIGHT + 18 * series.length + 10;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`;
  return `${head}<rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="${LEFT}" y="18" font-weight="bold">${escaped(title)}</text>${axes.join("")}${ends}${lines.join("")}</svg>`;
}

/** A forest plot: names, intervals around a line, and the numbers. */
export function forestSvg(title: string, rows: readonly ForestLine[], line: number): string {
  const values = [
    line,
    ...rows.flatMap(({ interval, dots = [] }) => [...(interval === null ? [] : [interval.low, interval.high]), ...dots]),
  ];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (value: number) => (250 + (280 * (value - least)) / (most - least || 1)).toFixed(1);
  const mark = (at: number, y: number, half: number) =>
    `<line x1="${x(at)}" x2="${x(at)}" y1="${y - half}" y2="${y + half}" stroke="#1b1e22" stroke-width="2"/>`;
  const drawn = rows.map(({ label, interval, dots = [], text }, i) => {
    const y = 48 + 22 * i;
    const range =
      interval &&
      `<line x1="${x(interval.low)}" x2="${x(interval.high)}" y1="${y}" y2="${y}" stroke="#1b1e22" stroke-width="2"/>${mark(interval.estimate, y, 5)}`;
    return `<text x="10" y="${y + 4}">${escaped(label)}</text>${range ?? ""}${dots.map((dot) => mark(dot, y + 7, 2)).join("")}<text x="540" y="${y + 4}">${escaped(text)}</text>`;
  });
  const height = 60 + 22 * rows.length;
  const zero = `<line x1="${x(line)}" x2="${x(line)}" y1="32" y2="${height - 10}" stroke="#6d7681" stroke-dasharray="3 3"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12"><rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="10" y="18" font-weight="bold">${escaped(title)}</text>${zero}${drawn.join("")}</svg>`;
}

interface ForestLine {
  readonly label: string;
  readonly interval: Interval | null;
  readonly dots?: readonly number[];
  readonly text: string;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
