/** The alarms of a run as a recipe writes them: each rule with window and thresholds, or null to switch it off. */

import { mapping, number, oneOf, whole } from "../core/fields.ts";
import { type AlarmName, alarmRules } from "../train/alarms/index.ts";

function rule(name: AlarmName) {
  const { defaults, fires } = alarmRules[name];
  const inside = fires === "above" ? "at most" : "at least";
  return mapping({
    window: whole({ min: 1 }).default(defaults.window).describe("Steps it looks back on."),
    threshold: number().default(defaults.threshold).describe(`Rings at this value and ${fires} it.`),
    clear: number().optional().describe(`Rings again only after the value was back beyond this; ${inside} threshold.`),
  })
    .refine(({ threshold, clear = threshold }) => (fires === "above" ? clear <= threshold : clear >= threshold), {
      error: `must be ${inside} threshold`,
      path: ["clear"],
    })
    .transform(({ clear, ...given }) => {
      // Without a word on it, as far inside the threshold as the rule's own.
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
    .describe("stop ends the run after the step, with a checkpoint to go on from."),
  ...rules,
})
  .nullable()
  .prefault({})
  .describe("What is watched while stages sample; null watches nothing.");
