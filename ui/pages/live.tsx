/** One run as it goes: its metrics in the order in which trouble is looked for, under one cursor; a click opens that step's rollouts. */
import { useMemo, useRef } from "preact/hooks";
import type { Interval } from "../../src/runs/statistics-records.ts";
import type { MetricColumns } from "../../src/ui/metric-columns.ts";
import type { RunDetail } from "../../src/ui/run-detail.ts";
import { address, go, hrefOf, setValues } from "../address.ts";
import { ago, duration, percent } from "../format.ts";
import { useKeys } from "../keys.ts";
import { Chart, type Series } from "../parts/chart.tsx";
import { Button, Check } from "../parts/controls.tsx";
import { Tags } from "../parts/notes.tsx";
import { openStep, ReportLink, Status, To } from "../parts/ways.tsx";
import type { OfRun } from "../use-data.ts";

/** Panels in the order of diagnosis; a metric is drawn in the first that names it. */
const panels: readonly { readonly title: string; readonly keys: RegExp }[] = [
  { title: "Reward by name", keys: /^reward\/(.+\/)?mean$|^reward\/sampled_mean$/ },
  { title: "Groups without variance, completions cut", keys: /^group\/zero_std_fraction$|^completion\/truncated_fraction$/ },
  { title: "Completion length, tokens", keys: /^completion\/length_/ },
  { title: "KL and clipping", keys: /^policy\/(kl|clip_fraction)/ },
  { title: "Entropy", keys: /^policy\/entropy/ },
  { title: "Sampler against trainer", keys: /^sampler\// },
  { title: "Importance ratio", keys: /^policy\/ratio_/ },
  { title: "Loss", keys: /^loss$|^dpo\/|^sft\// },
  { title: "Gradient norm", keys: /^optim\/grad_norm/ },
  { title: "Learning rate", keys: /^optim\/learning_rate/ },
  { title: "Seconds by phase", keys: /^time\// },
  { title: "Throughput", keys: /^throughput\// },
  { title: "Memory", keys: /^memory\// },
];

export function LivePage({ id, run, again }: OfRun) {
  const { values } = address.value;
  const smoothing = values["smooth"] === undefined ? 0 : 0.9;
  const paused = values["paused"] === undefined ? null : Number(values["paused"]);
  const kept = useRef<{ readonly at: number; readonly metrics: MetricColumns } | null>(null);
  if (paused === null) kept.current = null;
  else if (kept.current?.at !== paused) kept.current = { at: paused, metrics: upTo(run.metrics, paused) };
  const metrics = kept.current?.metrics ?? run.metrics;
  const drawn = useMemo(() => drawnPanels(metrics), [metrics]);
  const pause = () => setValues({ paused: paused === null ? run.row.step : null });
  const smooth = () => setValues({ smooth: smoothing > 0 ? null : 1 });
  useKeys([
    { key: "p", about: "pause at the present step, or go on", act: pause },
    { key: "s", about: "running means", act: smooth },
  ]);
  const { row } = run;
  const behind = paused === null ? 0 : row.step - paused;
  return (
    <>
      <p class="facts">
        <Status status={row.status} /> <span>written {ago(row.heartbeat)}</span>
        <span>
          step <b>{row.step}</b>
          {row.steps !== null && ` of ${row.steps}`}
        </span>
        {row.secondsLeft !== null && <span>{duration(row.secondsLeft)} left</span>}
        <span>
          <To path={["runs", id, "rollouts"]}>{run.groups} groups</To>
        </span>
        <span>
          {run.alarms.length > 0 ? (
            <To path={["runs", id, "alarms"]} class="alarm-count">
              {run.alarms.length} {run.alarms.length === 1 ? "alarm" : "alarms"}
            </To>
          ) : (
            "no alarms"
          )}
        </span>
      </p>
      <Tags {...{ id, run, again }} />
      {run.unreadable > 0 && <p class="notice">{run.unreadable} lines of rollouts.jsonl are no groups and are left out</p>}
      <div class="toolbar">
        <Check label="running means over the raw values" checked={smoothing > 0} on={smooth} />
        <Button pressed={paused !== null} text={paused === null ? "Pause" : "Go on"} on={pause} />
        <span role="status" class="muted">
          {paused !== null && `paused at step ${paused}${behind > 0 ? ` – ${behind} new` : ""}`}
        </span>
      </div>
      {metrics.steps.length === 0 ? (
        <p>No step is finished yet. Figures appear here as they are written.</p>
      ) : (
        <div class="charts">
          <EvaluationChart run={run} onStep={(step) => go(hrefOf(["runs", id, "evaluation"], { step }))} />
          {drawn.map(({ title, series }) => (
            <Chart key={title} {...{ title, series, smoothing }} steps={metrics.steps} onStep={(step) => openStep(id, step)} />
          ))}
        </div>
      )}
      <details class="recipe-text">
        <summary>Recipe</summary>
        <pre tabIndex={0}>{run.recipe || "recipe.yaml cannot be read"}</pre>
      </details>
      <p class="muted">
        Folder: {run.folder} {run.report && <ReportLink route={["runs", id, "report"]} />}
      </p>
    </>
  );
}

interface Overall {
  readonly accuracy?: Partial<Interval>;
  readonly baselines?: Readonly<Record<string, { readonly accuracy?: number }>>;
}

/** Accuracy of every evaluation with its interval, and of the baselines on its questions. */
function EvaluationChart({ run, onStep }: { readonly run: RunDetail; readonly onStep: (step: number) => void }) {
  const found = useMemo(() => {
    const points = run.evaluations.flatMap(({ step, summary }) => {
      const { accuracy, baselines = {} } = ((summary["subsets"] ?? {}) as Readonly<Record<string, Overall>>)["overall"] ?? {};
      return accuracy?.estimate === undefined ? [] : [{ step, ...accuracy, estimate: accuracy.estimate, baselines }];
    });
    const bySteps = [...new Map(points.map((point) => [point.step, point])).values()].sort((a, b) => a.step - b.step);
    const series: Series = {
      name: "accuracy, %",
      values: bySteps.map(({ estimate }) => 100 * estimate),
      low: bySteps.map(({ estimate, low }) => 100 * (low ?? estimate)),
      high: bySteps.map(({ estimate, high }) => 100 * (high ?? estimate)),
    };
    const names = [...new Set(bySteps.flatMap(({ baselines }) => Object.keys(baselines)))];
    const drawn = names.map((name): Series => {
      const values = bySteps.map(({ baselines }) => baselines[name]?.accuracy ?? null);
      return { name: `baseline ${name.replaceAll("_", " ")}`, values: values.map((value) => (value === null ? null : 100 * value)) };
    });
    return { steps: bySteps.map(({ step }) => step), series: [series, ...drawn], last: bySteps.at(-1) };
  }, [run.evaluations]);
  if (found.steps.length === 0) return null;
  const { last } = found;
  const title = `Accuracy, 95 % interval${last?.n === undefined ? "" : `, n ${last.n}`}: ${percent(last?.estimate ?? 0)} %`;
  return <Chart title={title} steps={found.steps} series={found.series} smoothing={0} onStep={onStep} />;
}

function drawnPanels(metrics: MetricColumns): readonly { readonly title: string; readonly series: readonly Series[] }[] {
  const left = new Set(Object.keys(metrics.values));
  const taken = (keys: readonly string[]): readonly Series[] =>
    keys.map((key) => {
      left.delete(key);
      return { name: key, values: metrics.values[key]! };
    });
  const named = panels.map(({ title, keys }) => ({ title, series: taken([...left].filter((key) => keys.test(key))) }));
  const prefixes = [...new Set([...left].map((key) => key.split("/")[0]!))];
  const others = prefixes.map((prefix) => ({
    title: `Other: ${prefix}`,
    series: taken([...left].filter((key) => key.split("/")[0] === prefix)),
  }));
  return [...named, ...others].filter(({ series }) => series.length > 0);
}

function upTo(metrics: MetricColumns, step: number): MetricColumns {
  const count = metrics.steps.filter((one) => one <= step).length;
  return {
    steps: metrics.steps.slice(0, count),
    stages: metrics.stages.slice(0, count),
    values: Object.fromEntries(Object.entries(metrics.values).map(([key, values]) => [key, values.slice(0, count)])),
  };
}
