/** Watches the steps of one stage; an alarm fires once and re-arms after it has cleared, so no log is flooded. */
import type { AlarmRule, AlarmSettings, Measurement, ObservedStep, WatchedReward } from "./alarm.ts";

/** An alarm that fired at a step, or one that cleared. */
export interface Alarm extends Measurement {
  readonly event: "alarm" | "alarm_cleared";
  readonly rule: string;
  readonly settings: AlarmSettings;
}

/** A rule that is switched on. */
export interface WatchedRule {
  readonly name: string;
  readonly rule: AlarmRule;
  readonly settings: AlarmSettings;
}

export interface AlarmWatch {
  /** What a step sets off; steps come in order. Which alarms fire is a function of all steps seen. */
  see(step: ObservedStep): readonly Alarm[];
}

/** A watch over a stage that has not begun. */
export function openAlarms(rules: readonly WatchedRule[], rewards: readonly WatchedReward[]): AlarmWatch {
  const longest = Math.max(1, ...rules.map(({ settings }) => settings.window));
  const steps: ObservedStep[] = [];
  const firing = new Set<string>();
  return {
    see(step) {
      if (step.groups.length === 0) return []; // every example was skipped
      steps.push(step);
      const old = steps.length - 1 - longest;
      if (old >= 0) steps[old] = { ...steps[old]!, groups: [] }; // its metrics are enough
      return rules.flatMap(({ name, rule, settings }) => {
        if (steps.length < settings.window) return [];
        return rule.measure(steps, settings.window, rewards).flatMap((measurement): Alarm[] => {
          const event = change(firing, `${name} ${measurement.subject}`, rule.fires, settings, measurement.value);
          return event === null ? [] : [{ event, rule: name, settings, ...measurement }];
        });
      });
    },
  };
}

/** Between `threshold` and `clear` an alarm stays as it is; a value that is no number changes nothing. */
function change(
  firing: Set<string>,
  key: string,
  fires: AlarmRule["fires"],
  { threshold, clear }: AlarmSettings,
  value: number,
): Alarm["event"] | null {
  const isBeyond = fires === "above" ? value >= threshold : value <= threshold;
  const isClear = fires === "above" ? value < clear : value > clear;
  if (!firing.has(key) && isBeyond) {
    firing.add(key);
    return "alarm";
  }
  return isClear && firing.delete(key) ? "alarm_cleared" : null;
}
