/** Small drawings as SVG: sparkline, histogram, forest plot. */
import { type Better, sideOf } from "../../src/report/charts/forest-plot.ts";
import type { Interval } from "../../src/runs/statistics-records.ts";
import { differenceText, points } from "../format.ts";
import { Button } from "./controls.tsx";
import { saveForest } from "./svg-file.ts";

export function Sparkline({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  if (values.length < 2) return <span class="muted">–</span>;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value: number) => 20 - (18 * (value - low)) / (high - low || 1);
  const points = values.map((value, i) => `${(90 * i) / (values.length - 1)},${y(value).toFixed(1)}`).join(" ");
  return (
    <svg class="spark s0" viewBox="0 0 90 22" width="90" height="22" role="img" aria-label={label}>
      <polyline points={points} fill="none" stroke-width="1.6" />
    </svg>
  );
}

interface HistogramProps {
  readonly values: readonly number[];
  readonly label: string;
  /** The chosen range, from its first to before its end. */
  readonly chosen: readonly [number, number] | null;
  readonly onChoose: (range: readonly [number, number] | null) => void;
}

const BINS = 8;

/** Bars that can be pressed to choose their range. */
export function Histogram({ values, label, chosen, onChoose }: HistogramProps) {
  if (values.length === 0) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = (high - low) / BINS || 1;
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor((value - low) / width))]!++;
  const most = Math.max(...counts);
  return (
    <div class="histogram" role="group" aria-label={label}>
      {counts.map((count, i) => {
        const [from, to] = [low + i * width, i === BINS - 1 ? high + 1e-9 : low + (i + 1) * width];
        const isChosen = chosen !== null && Math.abs(chosen[0] - from) < width / 2;
        const name = `${from.toFixed(2)} to ${(low + (i + 1) * width).toFixed(2)}: ${count}`;
        return (
          <Button key={i} title={name} aria-label={name} pressed={isChosen} on={() => onChoose(isChosen ? null : [from, to])}>
            <span style={{ height: `${(100 * count) / most}%` }} />
          </Button>
        );
      })}
    </div>
  );
}

export interface ForestRow {
  readonly label: string;
  readonly key: string;
  readonly interval: Interval | null;
  /** Single values, such as those of seeds. */
  readonly dots?: readonly number[];
  readonly note?: string;
}

interface ForestProps {
  readonly rows: readonly ForestRow[];
  readonly label: string;
  /** Which way is an improvement, higher by default; null where neither is. */
  readonly better?: Better;
  /** Values drawn as dashed lines through all rows. */
  readonly lines?: readonly number[];
  /** How numbers are written; in percentage points by default. */
  readonly number?: (value: number) => string;
}

/** Intervals one below the other around 0. */
export function Forest({ rows, label, better = "higher", lines = [], number = points }: ForestProps) {
  const values = rows.flatMap(({ interval, dots = [] }) => [...(interval === null ? [] : [interval.low, interval.high]), ...dots]);
  const [low, high] = [Math.min(0, ...values, ...lines), Math.max(0, ...values, ...lines)];
  const pad = (high - low) * 0.05 || 0.01;
  const x = (value: number) => (100 * (value - low + pad)) / (high - low + 2 * pad);
  const drawn = () => rows.flatMap((row) => (row.interval === null ? [] : [{ ...row, interval: row.interval }]));
  return (
    <table class="forest">
      <caption>
        {label} <Button class="quiet" text="save as SVG" on={() => saveForest({ title: label, rows: drawn(), better, lines, number })} />
      </caption>
      <tbody>
        {rows.map((row) => {
          const { label: name, key, interval, dots = [], note } = row;
          return (
            <tr key={key}>
              <th scope="row">{name}</th>
              <td class="plot">
                <svg
                  class={interval === null ? "" : sideOf(interval, better)}
                  viewBox="0 0 100 12"
                  preserveAspectRatio="none"
                  width="100%"
                  height="20"
                  aria-hidden="true"
                >
                  <line class="zero" x1={x(0)} x2={x(0)} y1="0" y2="12" />
                  {lines.map((value) => (
                    <line key={value} class="baseline" x1={x(value)} x2={x(value)} y1="0" y2="12" />
                  ))}
                  {interval !== null && <line class="range" x1={x(interval.low)} x2={x(interval.high)} y1="6" y2="6" />}
                  {dots.map((value, i) => (
                    <line key={i} class="dot" x1={x(value)} x2={x(value)} y1="8.5" y2="11.5" />
                  ))}
                  {interval !== null && <line class="middle" x1={x(interval.estimate)} x2={x(interval.estimate)} y1="2.5" y2="9.5" />}
                </svg>
              </td>
              <td class="number">
                {interval === null ? "–" : differenceText(interval, number)}
                {note !== undefined && <small> {note}</small>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

interface ScatterProps {
  readonly label: string;
  readonly points: readonly {
    readonly name: string;
    readonly x: number;
    readonly y: number;
    readonly low: number;
    readonly high: number;
  }[];
  /** How the ends of the axes are written. */
  readonly x: (value: number) => string;
  readonly y: (value: number) => string;
}

/** Named points with an interval each; a line at 0. Drawn at the width of a phone. */
export function Scatter({ label, points: all, x: textX, y: textY }: ScatterProps) {
  const [left, right] = [Math.min(...all.map(({ x }) => x)), Math.max(...all.map(({ x }) => x))];
  const [bottom, top] = [Math.min(0, ...all.map(({ low }) => low)), Math.max(0, ...all.map(({ high }) => high))];
  // Where all are alike, they stand in the middle.
  const x = (value: number) => (right > left ? 55 + (250 * (value - left)) / (right - left) : 180);
  const y = (value: number) => (top > bottom ? 190 - (180 * (value - bottom)) / (top - bottom) : 100);
  const about = all.map(({ name, x, y }) => `${name} ${textY(y)} at ${textX(x)}`);
  return (
    <figure class="chart">
      <figcaption>{label}</figcaption>
      <svg class="scatter" viewBox="0 0 400 215" role="img" aria-label={`${label}: ${about.join("; ")}`}>
        {[...new Set([bottom, 0, top])].map((value) => (
          <g key={value}>
            <line x1="45" x2="395" y1={y(value)} y2={y(value)} class={value === 0 ? "zero" : "edge"} />
            <text x="40" y={y(value) + 4} text-anchor="end">
              {textY(value)}
            </text>
          </g>
        ))}
        {[...new Set([left, right])].map((value) => (
          <text key={value} x={x(value)} y="210" text-anchor="middle">
            {textX(value)}
          </text>
        ))}
        {all.map((point) => (
          <g key={point.name}>
            <line x1={x(point.x)} x2={x(point.x)} y1={y(point.low)} y2={y(point.high)} />
            <circle cx={x(point.x)} cy={y(point.y)} r="4" />
            <text x={x(point.x) + 7} y={y(point.y) - 6}>
              {point.name}
            </text>
          </g>
        ))}
      </svg>
    </figure>
  );
}
