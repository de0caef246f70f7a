/** A reward whose scorer gives nothing that can be read, such as a judge that does not answer in the form it is asked for. */
import { wholePercent } from "../../core/percent.ts";
import type { AlarmRule, ObservedStep } from "./alarm.ts";
import { completionsOf, evidence, lastSteps, metricOf } from "./window.ts";

export const rewardUnread: AlarmRule = {
  fires: "above",
  defaults: { window: 1, threshold: 0.5, clear: 0.25 },
  /** Per reward that asks: the share of its requests without a verdict, read or not answered at all. */
  measure(steps, window, rewards) {
    const recent = steps.slice(-window);
    return rewards.flatMap(({ name }) => {
      const count = (what: string) => total(recent, `reward/${name}/${what}`);
      const [unreadable, failed] = [count("unparsable"), count("failed")];
      const asked = count("asked") ?? completionsOf(recent.flatMap(({ groups }) => groups)).length;
      if (asked === 0) return [];
      const without = (unreadable ?? 0) + (failed ?? 0);
      const parts = [
        ...(unreadable ? [`${unreadable} replies could not be read`] : []),
        ...(failed ? [`${failed} requests had no reply`] : []),
      ];
      return [
        {
          subject: name,
          value: without / asked,
          message: `${name} has no verdict for ${wholePercent(without / asked)} of the ${asked} it asked for in ${lastSteps(window)}: ${parts.join(", ")}`,
          evidence: evidence(recent, ({ completions }) =>
            completions.some(({ rewards: given }) => given[name] === null),
          ),
          advice:
            "These completions are trained without this reward. Read the replies (the run's replies folder, or the endpoint's log): the judge must answer in the form that its prompt asks for, within max_tokens. Try another judge or prompt.",
        },
      ];
    });
  },
};

/** Of a count over steps; null where no step has it. */
function total(steps: readonly ObservedStep[], key: string): number | null {
  const counts = steps.flatMap(({ metrics }) => metricOf(metrics, key) ?? []);
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0);
}
