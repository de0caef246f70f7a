/** Small drawings as SVG: sparkline, histogram, forest plot. */
import type { Interval } from "../../src/runs/statistics-records.ts";
import { forestSvg } from "./chart-svg.ts";
import { Button } from "./controls.tsx";
import { save } from "./ways.tsx";

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

/** Intervals one below the other around 0 (or `line`), in percentage points. */
export function Forest({ rows, label, line = 0 }: { readonly rows: readonly ForestRow[]; readonly label: string; readonly line?: number }) {
  const values = rows.flatMap(({ interval, dots = [] }) => [...(interval === null ? [] : [interval.low, interval.high]), ...dots]);
  const low = Math.min(line, ...values);
  const high = Math.max(line, ...values);
  const pad = (high - low) * 0.05 || 0.01;
  const text = ({ interval, note = "" }: ForestRow) => {
    return `${interval === null ? "–" : `${pp(interval.estimate)} [${pp(interval.low)}, ${pp(interval.high)}]`} ${note}`;
  };
  const svg = () =>
    forestSvg(
      label,
      rows.map((row) => ({ ...row, text: text(row) })),
      line,
    );
  const x = (value: number) => (100 * (value - low + pad)) / (high - low + 2 * pad);
  return (
    <table class="forest">
      <caption>
        {label} <Button class="quiet" text="save as SVG" on={() => save(`${label}.svg`, "image/svg+xml", svg())} />
      </caption>
      <tbody>
        {rows.map(({ label: name, key, interval, dots = [], note }) => (
          <tr key={key}>
            <th scope="row">{name}</th>
            <td class="plot">
              <svg
                class={verdictClass(interval, line)}
                viewBox="0 0 100 12"
                preserveAspectRatio="none"
                width="100%"
                height="20"
                aria-hidden="true"
              >
                <line class="zero" x1={x(line)} x2={x(line)} y1="0" y2="12" />
                {interval !== null && <line class="range" x1={x(interval.low)} x2={x(interval.high)} y1="6" y2="6" />}
                {dots.map((value, i) => (
                  <line key={i} class="dot" x1={x(value)} x2={x(value)} y1="8.5" y2="11.5" />
                ))}
                {interval !== null && <line class="middle" x1={x(interval.estimate)} x2={x(interval.estimate)} y1="2.5" y2="9.5" />}
              </svg>
            </td>
            <td class="number">
              {interval === null ? "–" : `${pp(interval.estimate)} [${pp(interval.low)}, ${pp(interval.high)}]`}
              {note !== undefined && <small> {note}</small>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function verdictClass(interval: Interval | null, line: number): string {
  if (interval === null) return "";
  return interval.low > line ? "better" : interval.high < line ? "worse" : "open";
}

function pp(value: number): string {
  return `${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`.replace("-", "−");
}
