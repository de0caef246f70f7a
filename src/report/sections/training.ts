/** The curves of training, one small chart per metric: several runs share a chart, a single run shows its noise too. */
import { type Line, lineChart } from "../charts/line-chart.ts";
import { MOST_POINTS, runningMean, thin, trendWindow } from "../charts/series.ts";
import { short } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { isRollout, metricPoints, type RecordLine, type RunRecord } from "../read-run.ts";

/** A metric with what a reader should know of it. */
interface Curve {
  readonly key: string;
  readonly title: string;
  readonly about: string;
  /** Shown as per cent, between 0 and 1. */
  readonly share?: boolean;
}

const curves: readonly Curve[] = [
  {
    key: "group/zero_std_fraction",
    title: "Groups without difference",
    share: true,
    about: "Groups whose completions all earned the same: they have no gradient. Near 100 % learning stops.",
  },
  { key: "completion/length_mean", title: "Completion length", about: "Mean tokens per completion." },
  {
    key: "completion/truncated_fraction",
    title: "Cut off",
    share: true,
    about: "Completions that reached max_completion_length before they ended.",
  },
  {
    key: "policy/entropy",
    title: "Entropy",
    about: "Nats per token: how undecided the policy is. At 0 it says the same each time.",
  },
  {
    key: "policy/kl",
    title: "KL from the reference",
    about: "How far the policy has moved from where it started, in nats per token.",
  },
  { key: "policy/clip_fraction", title: "Clipped tokens", share: true, about: "Tokens whose ratio the loss clipped." },
  { key: "optim/grad_norm", title: "Gradient norm", about: "Before clipping. Spikes come before trouble." },
  {
    key: "sampler/logprob_diff_max",
    title: "Sampler against trainer",
    about: "Largest difference of their log-probs of the same token: should stay near 0.",
  },
  {
    key: "preference/accuracy",
    title: "Preferred completion ranked first",
    share: true,
    about: "Share of pairs whose chosen completion has the higher implicit reward.",
  },
  {
    key: "preference/margin",
    title: "Preference margin",
    about: "Implicit reward of the chosen less that of the rejected completion.",
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

/** All charts that have values; null for runs without any. A metric that never changed is said in words. */
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

/** The one value that a metric has at all steps of all runs; null where it varies, or has none. */
function constantValue(runs: readonly LabelledRun[], key: string, of: (line: RecordLine) => boolean): number | null {
  const found = new Set(runs.flatMap(({ record }) => metricPoints(record, key, of).map(({ y }) => y)));
  return found.size === 1 ? [...found][0]! : null;
}

function formatOf({ share = false }: Curve): (value: number) => string {
  return share ? (value) => `${short(100 * value)} %` : short;
}

/** Names beside their colours. */
export function legend(entries: readonly { readonly name: string; readonly colour: number }[]): Html {
  return html`<ul class="legend">${entries.map(({ name, colour }) => html`<li class="s${colour % 8}"><span class="swatch" aria-hidden="true"></span>${name}</li>`)}</ul>`;
}

/** A single run: the whole reward and its components in one chart. Several: a chart for the whole and one per component. */
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
  const about = "The weighted sum that is trained on, and each reward before its weight.";
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
  const trend = thin(runningMean(points, trendWindow(points.length)), MOST_POINTS);
  const noise = withNoise && points.length > 24 ? { noise: thin(points) } : {};
  return [{ name, colour, points: trend, ...noise }];
}

/** Where later stages begin, and where alarms rang. */
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
