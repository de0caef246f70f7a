/** The alarms of a run's stage: fed with the lines of the record, so a resumed run fires the same alarms as an unbroken one. */

import type { Recipe } from "../recipes/schema.ts";
import type { ScheduledReward } from "../rewards/index.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import type { Metrics } from "../runs/metrics.ts";
import type { Run } from "../runs/run-folder.ts";
import {
  type Alarm,
  type AlarmName,
  type AlarmWatch,
  alarmRules,
  type ObservedStep,
  openAlarms,
  watchedRewards,
} from "../train/alarms/index.ts";
import type { RolloutRecord } from "../train/rollout-records.ts";
import type { At, RunEvent } from "./observers/observer.ts";

/** A watch that has seen the stage's steps up to `step`; null where nothing is watched: no alarms, or no rewards. */
export function openStageAlarms(
  { alarms }: Pick<Recipe, "alarms">,
  rewards: readonly ScheduledReward[],
  run: Run,
  { start, step }: { readonly start: number; readonly step: number },
): AlarmWatch | null {
  if (alarms === null || rewards.length === 0) return null;
  const { on_alarm: _, ...settings } = alarms;
  const rules = Object.entries(settings).flatMap(([name, of]) =>
    of === null ? [] : [{ name, rule: alarmRules[name as AlarmName], settings: of }],
  );
  const watch = openAlarms(rules, watchedRewards(rewards));
  if (step > start) for (const seen of recordedSteps(run, start, step)) watch.see(seen);
  return watch;
}

/** Steps after `start` up to `end`, as the run's files have them. */
function* recordedSteps(run: Run, start: number, end: number): Generator<ObservedStep> {
  const rollouts = scanJsonl<RolloutRecord>(run.paths.rollouts);
  let next = rollouts.next();
  for (const { step, ...metrics } of scanJsonl<Metrics & { readonly step: number }>(run.paths.metrics)) {
    if (step > end) return;
    const groups: RolloutRecord[] = [];
    for (; !next.done && next.value.step <= step; next = rollouts.next()) {
      if (next.value.step === step) groups.push(next.value);
    }
    if (step > start) yield { step, metrics: metrics as Metrics, groups };
  }
}

/** Alarms that fired or cleared, as events of the run. */
export function alarmEvents(alarms: readonly Alarm[], at: At): readonly RunEvent[] {
  return alarms.map(({ event, rule, subject, value, settings, evidence, message, advice }) => {
    const about = subject === null ? {} : { subject };
    if (event === "alarm_cleared") return { event, ...at, rule, ...about, value, clear: settings.clear };
    const { threshold, window } = settings;
    return { event, ...at, rule, ...about, threshold, value, window, evidence, message, advice };
  });
}
