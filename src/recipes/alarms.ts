/** The alarms of a run in a recipe: each rule with window and thresholds, or null to disable it. */

import { mapping, number, oneOf, whole } from "../core/fields.ts";
import { type AlarmName, alarmRules } from "../train/alarms/index.ts";

function rule(name: AlarmName) {
  const { defaults, fires } = alarmRules[name];
  const inside = fires === "above" ? "at most" : "at least";
  return mapping({
    window: whole({ min: 1 }).default(defaults.window).describe("Number of past steps it considers."),
    threshold: number().default(defaults.threshold).describe(`Fires at this value and ${fires} it.`),
    clear: number().optional().describe(`Re-arms once the value has passed this; ${inside} threshold.`),
  })
    .refine(({ threshold, clear = threshold }) => (fires === "above" ? clear <= threshold : clear >= threshold), {
      error: `must be ${inside} threshold`,
      path: ["clear"],
    })
    .transform(({ clear, ...given }) => {
      // By default, the same ratio to the threshold as in the rule's own defaults.
      return { ...given, clear: clear ?? given.threshold * (defaults.clear / defaults.threshold) };
    })
    .nullable()
    .prefault({});
}

const rules = Object.fromEntries(
  Object.keys(alarmRules).map((name) => [name, rule(name as AlarmName)]),
) as unknown as Readonly<Record<AlarmName, ReturnType<typeof rule>>>;

export const alarmsSchema = mapping({
  on_alarm: oneOf("continue", "stop")
    .default("continue")
    .describe("stop ends the run after the step, with a checkpoint to resume from."),
  ...rules,
})
  .nullable()
  .prefault({})
  .describe("Checks during stages that sample; null disables all.");
