/** Training curves, one small chart per metric: several runs share a chart, a single run also shows its noise. */
import { type Line, lineChart } from "../charts/line-chart.ts";
import { MAX_POINTS, runningMean, thin, trendWindow } from "../charts/series.ts";
import { short } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { isRollout, metricPoints, type RecordLine, type RunRecord } from "../read-run.ts";

/** A metric with an explanation for readers. */
interface Curve {
  readonly key: string;
  readonly title: string;
  readonly about: string;
  /** Shown in percent, between 0 and 1. */
  readonly share?: boolean;
}

const curves: readonly Curve[] = [
  {
    key: "group/zero_std_fraction",
    title: "Groups with equal rewards",
    share: true,
    about: "Groups whose completions all have the same reward: they have no gradient. Near 100 % learning stops.",
  },
  { key: "completion/length_mean", title: "Completion length", about: "Mean tokens per completion." },
  {
    key: "completion/truncated_fraction",
    title: "Truncated",
    share: true,
    about: "Completions that reached max_completion_length before they ended.",
  },
  {
    key: "policy/entropy",
    title: "Entropy",
    about: "Nats per token. At 0 the policy is deterministic.",
  },
  {
    key: "policy/kl",
    title: "KL from the reference",
    about: "Divergence of the policy from the reference, in nats per token.",
  },
  { key: "policy/clip_fraction", title: "Clipped tokens", share: true, about: "Tokens whose ratio the loss clipped." },
  { key: "optim/grad_norm", title: "Gradient norm", about: "Before clipping. Spikes often precede instability." },
  {
    key: "sampler/logprob_diff_max",
    title: "Sampler against trainer",
    about: "Largest difference in log-prob of the same token: should stay near 0.",
  },
  {
    key: "preference/accuracy",
    title: "Preferred completion ranked first",
    share: true,
    about: "Fraction of pairs whose chosen completion has the higher implicit reward.",
  },
  {
    key: "preference/margin",
    title: "Preference margin",
    about: "Implicit reward of the chosen minus that of the rejected completion.",
  },
];

const supervisedLoss: Curve = {
  key: "loss",
  title: "Supervised loss",
  about: "Cross-entropy of the target texts, in nats per token.",
};
const stepTime: Curve = {
  key: "time/step_s",
  title: "Seconds per step",
  about: "Sampling, rewards and update together.",
};

/** All charts with values; null for runs without any. A constant metric is listed as text. */
export function trainingSection(runs: readonly LabelledRun[]): Html | null {
  const chosen = curves.map((curve) => {
    const sampled = runs.some(({ record }) => metricPoints(record, curve.key, isRollout).length > 0);
    return { curve, of: sampled ? isRollout : () => true };
  });
  const all = [...chosen, { curve: supervisedLoss, of: isSupervised }, { curve: stepTime, of: isRollout }];
  const values = all.map(({ curve, of }) => ({ curve, of, constant: constantValue(runs, curve.key, of) }));
  const charts = [
    ...rewardCharts(runs),
    ...values.map(({ curve, of, constant }) => (constant === null ? figure(runs, curve, of) : null)),
  ].filter((chart) => chart !== null);
  const constants = values.flatMap(({ curve, constant }) =>
    constant === null ? [] : [`${curve.title}: ${formatOf(curve)(constant)}`],
  );
  if (charts.length === 0 && constants.length === 0) return null;
  const many = runs.length > 1;
  return html`<section id="training"><h2>Training</h2><p class="lead">${many ? "Running means of each run." : "Faint: every step. Bold: the running mean."} Point at a chart, or move along it with the arrow keys, to read its values.</p>${many && legend(runs.map(({ label }, i) => ({ name: label, colour: i })))}<div class="charts">${charts}</div>${constants.length > 0 && html`<p class="note">The same at every step: ${constants.join(", ")}.</p>`}</section>`;
}

/** The constant value of a metric over all steps of all runs; null if it varies or is missing. */
function constantValue(runs: readonly LabelledRun[], key: string, of: (line: RecordLine) => boolean): number | null {
  const found = new Set(runs.flatMap(({ record }) => metricPoints(record, key, of).map(({ y }) => y)));
  return found.size === 1 ? [...found][0]! : null;
}

function formatOf({ share = false }: Curve): (value: number) => string {
  return share ? (value) => `${short(100 * value)} %` : short;
}

/** Colour swatches with names. */
export function legend(entries: readonly { readonly name: string; readonly colour: number }[]): Html {
  return html`<ul class="legend">${entries.map(({ name, colour }) => html`<li class="s${colour % 8}"><span class="swatch" aria-hidden="true"></span>${name}</li>`)}</ul>`;
}

/**
 * For a single run, the total reward and its components in one chart; for several, one chart for the total and one per
 * component.
 */
function rewardCharts(runs: readonly LabelledRun[]): readonly (Html | null)[] {
  const names = [...new Set(runs.flatMap(({ record }) => componentNames(record)))];
  const whole = {
    key: "reward/mean",
    title: "Reward",
    about: "Mean of the weighted sum, over all completions of a step.",
  };
  const component = (name: string) => ({
    key: `reward/${name}/mean`,
    title: `Reward: ${name}`,
    about: `Mean of ${name} before its weight.`,
  });
  if (runs.length > 1) return [whole, ...names.map(component)].map((curve) => figure(runs, curve, isRollout));
  const { record } = runs[0]!;
  const keys = [[whole.key, "weighted sum"], ...names.map((name) => [component(name).key, name])] as const;
  const lines = keys.flatMap(([key, name], i) => lineOf(record, key!, name!, i, isRollout, i === 0));
  const chart = lineChart({ title: "Reward by component", lines, marks: marksOf(record) });
  if (chart === null) return [];
  const about = "The weighted sum used in training, and each reward before its weight.";
  return [html`<figure><h3>Reward by component</h3>${chart}${legend(lines)}<figcaption>${about}</figcaption></figure>`];
}

function figure(runs: readonly LabelledRun[], curve: Curve, of: (line: RecordLine) => boolean): Html | null {
  const { key, title, about, share = false } = curve;
  const many = runs.length > 1;
  const lines = runs.flatMap(({ label, record }, i) => lineOf(record, key, many ? label : title, i, of, !many));
  const marks = many ? [] : marksOf(runs[0]!.record);
  const format = formatOf(curve);
  const chart = lineChart({ title, lines, marks, format, ...(share ? { bounds: [0, 1] as const } : {}) });
  if (chart === null) return null;
  const last = many ? undefined : lines[0]?.points.at(-1);
  return html`<figure><h3>${title}${last && html` <b class="last">${format(last.y)}</b>`}</h3>${chart}<figcaption>${about}</figcaption></figure>`;
}

function lineOf(
  record: RunRecord,
  key: string,
  name: string,
  colour: number,
  of: (line: RecordLine) => boolean,
  withNoise: boolean,
): readonly Line[] {
  const points = metricPoints(record, key, of).filter(({ y }) => Number.isFinite(y));
  if (points.length === 0) return [];
  const trend = thin(runningMean(points, trendWindow(points.length)), MAX_POINTS);
  const noise = withNoise && points.length > 24 ? { noise: thin(points) } : {};
  return [{ name, colour, points: trend, ...noise }];
}

/** Starts of later stages, and alarms. */
export function marksOf({ events }: Pick<RunRecord, "events">) {
  return events.flatMap(({ event, step, stage }) => {
    if (typeof step !== "number") return [];
    if (event === "stage_start" && step > 1) return [{ x: step, label: String(stage) }];
    return event === "alarm" ? [{ x: step, label: "⚠", alarm: true }] : [];
  });
}

function componentNames({ metrics }: RunRecord): readonly string[] {
  const found = new Set<string>();
  for (const line of metrics) {
    for (const key of Object.keys(line)) {
      const name = /^reward\/(.+)\/mean$/.exec(key)?.[1];
      if (name !== undefined) found.add(name);
    }
  }
  return [...found];
}

function isSupervised(line: RecordLine): boolean {
  return line["stage"] === "sft";
}
