/** A run for who watches it: progress, evaluations, and what went wrong, through a reporter. */
import { percent } from "../../core/percent.ts";
import { ANSWER_TYPES } from "../../core/records.ts";
import { shellWord } from "../../core/shell-word.ts";
import type { EvalSummary } from "../../evaluate/index.ts";
import type { Reporter } from "../../runs/reporter.ts";
import { describePreflight } from "../../session/preflight.ts";
import { describePlan } from "../../session/run-memory.ts";
import { overlapWarning } from "../../session/shared-subjects.ts";
import type { RunEvent, RunNotice, RunObserver } from "./observer.ts";

/** The reporter stays open: its owner closes it. */
export function terminal(reporter: Reporter): RunObserver {
  return {
    step: ({ stage, ofStage, metrics }) => {
      reporter.step({ stage, step: ofStage.step, total: ofStage.steps, metrics });
    },
    evaluation: ({ step, stage, summary }) => reporter.message(`step ${step} (${stage}): ${accuracies(summary)}`),
    event: (record) => showEvent(record, reporter),
    rewardEvent: ({ step, stage, ...told }) => reporter.warn(Object.values(told).join(" ")),
    notice: (record) => showNotice(record, reporter),
  };
}

function showEvent(record: RunEvent, reporter: Reporter): void {
  if (record.event === "preflight") {
    const [found, ...dropped] = describePreflight(record);
    reporter.message(found!);
    for (const line of dropped) reporter.warn(line);
  } else if (record.event === "example_skipped") {
    // Those of the start are counted in the preflight.
    if (record.step > 0) reporter.warn(`example "${record.example_id}" skipped: ${record.reason}`);
  } else if (record.event === "data_changed") {
    reporter.warn(`going on with other data than the run began with (${Object.keys(record.recorded).join(", ")})`);
  } else if (record.event === "overlap") {
    reporter.warn(overlapWarning(record));
  } else if (record.event === "alarm") {
    reporter.warn(`step ${record.step}: alarm ${alarmName(record)}: ${record.message}. ${record.advice}`);
  } else if (record.event === "alarm_cleared") {
    reporter.message(`step ${record.step}: alarm ${alarmName(record)} cleared`);
  }
}

function alarmName({ rule, subject }: { readonly rule: string; readonly subject?: string }): string {
  return subject === undefined ? rule : `${rule} (${subject})`;
}

function showNotice(record: RunNotice, reporter: Reporter): void {
  if (record.notice === "evaluating") {
    reporter.progress({ what: "evaluation", done: record.done, total: record.total });
  } else if (record.notice === "memory") reporter.message(describePlan(record.memory));
  else if (record.notice === "observer_failed") reporter.warn(record.message);
  else if (record.notice === "checkpoint_damaged") {
    reporter.warn(`${record.folder} is damaged and skipped: ${record.reason}`);
  } else if (record.notice === "stopped") {
    const { folder, step, lost } = record;
    if (lost !== null) reporter.warn(lost);
    const where = step === null ? "from the beginning" : `after step ${step}`;
    reporter.warn(`stopped; to go on ${where}: viva train --run ${shellWord(folder)} --resume`);
  } else {
    const { step } = record;
    reporter.message(step === null ? "no checkpoint yet: starting from the beginning" : `resuming after step ${step}`);
  }
}

/** "accuracy 54.2 [51.0, 57.3] (closed 60.1, open 48.9), question-only 54.9". */
function accuracies({ subsets }: EvalSummary): string {
  const { overall } = subsets;
  if (overall === undefined) return "no items";
  const parts = ANSWER_TYPES.flatMap((name) => {
    const subset = subsets[name];
    return subset === undefined ? [] : [`${name} ${percent(subset.accuracy.estimate)}`];
  });
  const { estimate, low, high } = overall.accuracy;
  const baseline = overall.baselines["question_only"];
  const beside = baseline === undefined ? "" : `; question-only ${percent(baseline.accuracy)}`;
  return `accuracy ${percent(estimate)} % [${percent(low)}, ${percent(high)}] of ${overall.n} (${parts.join(", ")})${beside}`;
}
