/** A line chart over steps: drawn when it comes into view, its cursor shared with all others, its numbers in a table as well. */
import { signal } from "@preact/signals";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { short } from "../format.ts";
import { Button, Table, useSeen } from "./controls.tsx";
import { saveChart } from "./svg-file.ts";

export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** Interval around the values. */
  readonly low?: readonly (number | null)[];
  readonly high?: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  readonly steps: readonly number[];
  readonly series: readonly Series[];
  /** 0 draws the values alone; 0.9 a running mean over about ten steps on top of them. */
  readonly smoothing: number;
  readonly onStep: (step: number) => void;
  readonly scale?: "linear" | "log";
}

const shared = uPlot.sync("steps");
/** Changes where light and dark change: canvases must be drawn anew. */
const colours = signal(0);
new MutationObserver(() => colours.value++).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
/** Series are told apart by dash as well. */
const dashes = ["", "6 3", "2 3", "10 3 2 3", "4 4", "1 2"];
const HEIGHT = 170;
const MOST_ROWS = 200;

export function Chart({ title, steps, series, smoothing, onStep }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const seen = useSeen(frame);
  const names = series.map(({ name }) => name).join("\n");
  useEffect(() => {
    if (!seen) return;
    const element = frame.current!;
    const made = new uPlot(optionsOf(element, series, smoothing > 0, onStep), dataOf(steps, series, smoothing), element);
    plot.current = made;
    const resize = new ResizeObserver(
      () => made.width !== element.clientWidth && made.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [seen, names, smoothing, colours.value]);
  useEffect(() => {
    if (plot.current?.data[0] !== steps) plot.current?.setData(dataOf(steps, series, smoothing));
  }, [steps, series]);
  const last = series.map(({ name, values }) => ({ name, value: values.findLast((value) => value !== null) ?? null }));
  return (
    <figure class="chart">
      <h3>{title}</h3>
      <div
        ref={frame}
        class="plot"
        role="img"
        aria-label={`${title} over ${steps.length} steps; ${last.map(({ name, value }) => `${name} at the end ${short(value)}`).join(", ")}`}
      />
      <ul class="legend">
        {last.map(({ name, value }, i) => (
          <li key={name} class={`s${i % 8}`}>
            <svg width="18" height="8" aria-hidden="true">
              <line x1="0" y1="4" x2="18" y2="4" stroke-width="2.5" stroke-dasharray={dashes[i % dashes.length]} />
            </svg>
            {name} <b>{short(value)}</b>
          </li>
        ))}
      </ul>
      <ChartTable title={title} steps={steps} series={series} />
      <Button class="quiet" text="save as SVG" on={() => saveChart(title, steps, series)} />
    </figure>
  );
}

/** The numbers of a chart; of long ones every nth step and the last. */
function ChartTable({ title, steps, series }: Pick<ChartProps, "title" | "steps" | "series">) {
  const [open, setOpen] = useState(false);
  const every = Math.max(1, Math.ceil(steps.length / MOST_ROWS));
  const rows = steps.map((step, i) => ({ step, i })).filter(({ i }) => i % every === 0 || i === steps.length - 1);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Table</summary>
      {open && (
        <div class="scroll">
          <Table
            label={`Table of ${title}`}
            head={["step", ...series.map(({ name }) => name)]}
            rows={rows.map(({ step, i }) => ({
              key: i,
              cells: [step, ...series.map(({ values }) => short(values[i]))],
            }))}
          />
        </div>
      )}
    </details>
  );
}

function dataOf(steps: readonly number[], series: readonly Series[], smoothing: number): uPlot.AlignedData {
  const columns = series.flatMap(({ values, low, high }) => {
    const smooth = smoothing > 0 ? [smoothed(values, smoothing)] : [];
    return [values, ...(low === undefined ? [] : [low, high!]), ...smooth];
  });
  return [steps, ...columns] as unknown as uPlot.AlignedData;
}

function optionsOf(element: HTMLElement, series: readonly Series[], smooth: boolean, onStep: (step: number) => void): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const bands: uPlot.Band[] = [];
  const drawn = series.flatMap(({ name, values, low }, i): uPlot.Series[] => {
    const stroke = colour(`--c${i % 8}`);
    const dash = dashes[i % dashes.length]!.split(" ").filter(Boolean).map(Number);
    const points = { show: values.length < 40, size: 5 };
    const common = { label: name, spanGaps: true };
    const line: uPlot.Series = { ...common, stroke: smooth ? `${stroke}66` : stroke, width: smooth ? 1 : 1.8, dash, points };
    const edge: uPlot.Series = { ...common, stroke: `${stroke}55`, width: 0.5, points: { show: false } };
    return [line, ...(low === undefined ? [] : [edge, edge]), ...(smooth ? [{ ...line, stroke, width: 2, points: { show: false } }] : [])];
  });
  let at = 1;
  for (const [i, { low }] of series.entries()) {
    if (low !== undefined) bands.push({ series: [at + 2, at + 1], fill: `${colour(`--c${i % 8}`)}22` });
    at += 1 + (low === undefined ? 0 : 2) + (smooth ? 1 : 0);
  }
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width: Math.max(100, element.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    scales: { x: { time: false }, y: { range: (_, low, high) => rangeOf(low, high) } },
    cursor: { sync: { key: shared.key }, points: { size: 6 }, drag: { x: true, y: false } },
    axes: [
      { ...axis, size: 24 },
      { ...axis, size: 48, values: (_, ticks) => ticks.map((tick) => short(tick)) },
    ],
    bands,
    series: [{}, ...drawn],
    hooks: {
      init: [
        (u) => {
          let down = 0;
          u.over.addEventListener("mousedown", (event) => {
            down = event.clientX;
          });
          u.over.addEventListener("click", (event) => {
            const { idx } = u.cursor;
            const step = idx == null ? undefined : u.data[0][idx];
            if (step !== undefined && Math.abs(event.clientX - down) < 4) onStep(step);
          });
        },
      ],
    },
  };
}

/** A constant gets room around it, so that it is seen to be one. */
function rangeOf(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const room = high > low ? (high - low) * 0.06 : Math.abs(high) * 0.5 || 1;
  return [low - room, high + room];
}

/** Exponential running mean, corrected for its start. */
function smoothed(values: readonly (number | null)[], weight: number): readonly (number | null)[] {
  let [sum, norm] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    norm = weight * norm + (1 - weight);
    return sum / norm;
  });
}
