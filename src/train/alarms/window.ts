/** Looking at the last steps: means of a metric, completions, and the groups that show what was measured. */
import { meanOf } from "../../core/mean.ts";
import type { Metrics } from "../../runs/metrics.ts";
import type { ObservedCompletion, ObservedGroup, ObservedStep } from "./alarm.ts";

const MOST_EVIDENCE = 8;

/** A metric as a number (the record writes NaN and infinities as texts); null where the step has none. */
export function metricOf(metrics: Metrics, key: string): number | null {
  const value = metrics[key];
  return value === undefined ? null : Number(value);
}

/** Mean of a metric over the last `window` steps; null unless each of them has it. */
export function windowMean(steps: readonly ObservedStep[], window: number, key: string): number | null {
  const values = steps.slice(-window).flatMap(({ metrics }) => metricOf(metrics, key) ?? []);
  return values.length < window ? null : meanOf(values);
}

export function completionsOf(groups: readonly ObservedGroup[]): readonly ObservedCompletion[] {
  return groups.flatMap(({ completions }) => completions);
}

/** Ids of the latest groups that pass. */
export function evidence(
  steps: readonly ObservedStep[],
  shows: (group: ObservedGroup) => boolean = () => true,
): readonly string[] {
  const ids: string[] = [];
  for (let i = steps.length - 1; i >= 0 && ids.length < MOST_EVIDENCE; i--) {
    for (const group of steps[i]!.groups) if (ids.length < MOST_EVIDENCE && shows(group)) ids.push(group.id);
  }
  return ids;
}

/** Three significant digits. */
export function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** "the last 10 steps". */
export function lastSteps(window: number): string {
  return window === 1 ? "the last step" : `the last ${window} steps`;
}
