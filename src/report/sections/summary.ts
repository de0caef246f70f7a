/** The top of the page: a run's main results at a glance. */
import { duration } from "../../core/duration.ts";
import { meanOf } from "../../core/mean.ts";
import { percent } from "../../core/percent.ts";
import { bestEvaluation } from "../../runs/best-evaluation.ts";
import { stepName } from "../../runs/run-folder.ts";
import { verdictSentence } from "../../runs/verdict.ts";
import { differenceText, points, pValue, short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { asRecord, bestBaseline, isRollout, metricPoints, type RunRecord } from "../read-run.ts";
import { sideOfChange, verdictOf } from "../verdict.ts";

/** A run's status: finished, stopped by an error, or without a recorded end. */
export function statusOf({ events, metrics, recipe }: RunRecord): {
  readonly text: string;
  readonly kind: "good" | "bad" | "open";
} {
  const step = metrics.at(-1)?.["step"] ?? 0;
  const last = events.at(-1);
  if (events.some(({ event }) => event === "run_end")) return { text: `finished, ${step} steps`, kind: "good" };
  if (last?.["event"] === "error") return { text: `stopped by an error at step ${last["step"] ?? step}`, kind: "bad" };
  const planned = plannedSteps(recipe);
  return { text: `no end recorded: at step ${step}${planned === null ? "" : ` of ${planned}`}`, kind: "open" };
}

/** The tiles of one run. */
export function summarySection({ record, statistics }: LabelledRun): Html {
  const tiles = [
    accuracyTile(record),
    changeTile(statistics),
    baselineTile(record),
    rewardTile(record),
    healthTile(record),
    timeTile(record),
  ];
  return html`<section id="summary"><h2>Summary</h2>${sentence(record, statistics)}${overBaselines(record)}${overlap(record)}<div class="tiles">${tiles}</div>${notices(record)}</section>`;
}

/** Notices about unreadable files of a run. */
export function notices({ notices }: RunRecord): Content {
  return notices.length > 0 && html`<ul class="notices">${notices.map((notice) => html`<li>${notice}</li>`)}</ul>`;
}

function sentence(record: RunRecord, { changes }: LabelledRun["statistics"]): Content {
  const last = record.evaluations.at(-1);
  const whole = changes.findLast(({ to }) => to.step === last?.step);
  if (last === undefined) return html`<p class="lead">The run has no evaluation so far.</p>`;
  const { accuracy } = last.subsets["overall"]!;
  const now = `After step ${last.step} (${last.stage}) the model answers ${percent(accuracy.estimate)} % of ${accuracy.n} held-out questions correctly`;
  if (whole === undefined) return html`<p class="lead">${now}.${bestSentence(record)}</p>`;
  const { difference } = whole.change;
  const verdict = verdictOf(record, whole.change);
  return html`<p class="lead">${now}, ${points(difference.estimate)} points against step ${whole.from.step}: ${verdict}.${bestSentence(record)}</p>`;
}

/** The last evaluation's verdict against its baselines. */
function overBaselines({ evaluations }: RunRecord): Content {
  const verdict = evaluations.at(-1)?.subsets["overall"]?.verdict;
  return verdict === undefined
    ? null
    : html`<p class="lead">Over baselines that need no such training, ${verdictSentence(verdict)}</p>`;
}

/** Names the best evaluation where it is not the last, or where the recipe keeps its checkpoint. */
function bestSentence({ evaluations, recipe }: RunRecord): Content {
  const found = evaluations.map(({ step, subsets }) => ({ step, accuracy: subsets["overall"]!.accuracy.estimate }));
  const best = bestEvaluation(found);
  const isKept = asRecord(recipe?.["checkpoint"])?.["best"] === "accuracy";
  if (best === null || (best.step === evaluations.at(-1)?.step && !isKept)) return null;
  const kept = isKept ? html`; its checkpoint is kept as <code>checkpoints/${stepName(best.step)}</code>` : null;
  return html` The best evaluation of the run is that of step ${best.step}: ${percent(best.accuracy)} %${kept}.`;
}

/** What the figures are worth where the model was trained on the subjects that it is asked about. */
function overlap({ evaluations }: RunRecord): Content {
  const shared = evaluations.at(-1)?.overlap;
  if (shared === undefined) return null;
  const { subjects, questions, of, unshared } = shared;
  const rest =
    unshared === null
      ? "No question is about another, so the accuracy says nothing about new patients."
      : `On the other ${unshared.n} questions the accuracy is ${percent(unshared.estimate)} % (95 % interval ${percent(unshared.low)} to ${percent(unshared.high)}).`;
  return html`<p class="lead">${questions} of the ${of} questions are about ${subjects} subjects or images that the model was trained on. ${rest}</p>`;
}

/** How a tile looks by the side of its change. */
const kinds = { better: "good", worse: "bad", "": "" } as const;

function tile(title: string, value: Content, about: Content, kind = ""): Html {
  return html`<div class="tile ${kind}"><h3>${title}</h3><p class="value">${value}</p><p class="about">${about}</p></div>`;
}

function accuracyTile({ evaluations }: RunRecord): Content {
  const accuracy = evaluations.at(-1)?.subsets["overall"]?.accuracy;
  if (accuracy === undefined) return null;
  const { estimate, low, high, n } = accuracy;
  return tile(
    "Accuracy",
    html`${percent(estimate)}<small> %</small>`,
    `95 % interval ${percent(low)} to ${percent(high)}, ${n} questions`,
  );
}

function changeTile({ changes }: LabelledRun["statistics"]): Content {
  const stage = changes.findLast(({ from }, i) => i < changes.length - 1 || from === changes[0]?.from);
  const shown = changes.length > 1 ? stage : changes[0];
  if (shown === undefined) return null;
  const { difference, won, lost, p } = shown.change;
  const kind = kinds[sideOfChange(shown.change)];
  const title = `Change by ${shown.to.stage === shown.from.stage ? "training" : shown.to.stage}`;
  const about = `${differenceText(difference)} points since step ${shown.from.step}; ${won} questions won, ${lost} lost, ${pValue(p)}`;
  return tile(title, html`${points(difference.estimate)}<small> points</small>`, about, kind);
}

function baselineTile({ evaluations }: RunRecord): Content {
  const baselines = evaluations.at(-1)?.subsets["overall"]?.baselines ?? {};
  const best = bestBaseline(baselines);
  if (best === null) return null;
  const { name, accuracy, difference, mcnemar_p: p } = best;
  const kind = kinds[sideOfChange({ difference, ...(p === undefined ? {} : { p }) })];
  const about = `${differenceText(difference)}; the best baseline (${name}) reaches ${percent(accuracy)} %`;
  return tile("Over baselines", html`${points(difference.estimate)}<small> points</small>`, about, kind);
}

function rewardTile(record: RunRecord): Content {
  const rewards = metricPoints(record, "reward/mean");
  if (rewards.length === 0) return null;
  const some = Math.max(1, Math.floor(rewards.length / 10));
  const mean = (of: typeof rewards) => meanOf(of.map(({ y }) => y));
  const [early, late] = [mean(rewards.slice(0, some)), mean(rewards.slice(-some))];
  return tile(
    "Reward",
    html`${short(late)}`,
    `mean of the last ${some} sampled steps; ${short(early)} in the first ${some}`,
  );
}

function healthTile({ events, metrics }: RunRecord): Content {
  const alarms = events.filter(({ event }) => event === "alarm").length;
  const errors = events.filter(({ event }) => event === "error").length;
  const sampled = metrics.filter(isRollout);
  const flat = sampled.map((line) => line["group/zero_std_fraction"]).filter((value) => typeof value === "number");
  const share = meanOf(flat);
  const about =
    flat.length > 0 ? `${percent(share)} % of groups had no gradient (equal rewards)` : "nothing was sampled";
  const value = errors > 0 ? `${errors} error${errors === 1 ? "" : "s"}` : `${alarms} alarm${alarms === 1 ? "" : "s"}`;
  return tile("Health", html`<a href="#events">${value}</a>`, about, errors > 0 ? "bad" : alarms > 0 ? "warn" : "good");
}

function timeTile(record: RunRecord): Content {
  const seconds = metricPoints(record, "time/step_s").reduce((sum, { y }) => sum + y, 0);
  if (seconds === 0) return null;
  const { environment } = record;
  const machine = typeof environment?.["cores"] === "number" ? `, ${environment["cores"]} cores` : "";
  return tile("Time", duration(seconds), `training only, ${record.metrics.length} steps${machine}`);
}

function plannedSteps(recipe: RunRecord["recipe"]): number | null {
  const stages = recipe?.["stages"];
  if (!Array.isArray(stages)) return null;
  const steps = stages.map((stage) => asRecord(stage)?.["steps"]);
  return steps.every((value) => typeof value === "number") ? steps.reduce((sum, value) => sum + value, 0) : null;
}
