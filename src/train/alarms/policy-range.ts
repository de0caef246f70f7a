/** Entropy and KL of the policy, in nats per token, outside of what a working run shows. */
import type { AlarmRule } from "./alarm.ts";
import { evidence, lastSteps, metricOf, short, windowMean } from "./window.ts";

export const klHigh = rangeRule({
  fires: "above",
  defaults: { window: 10, threshold: 1, clear: 0.5 },
  metric: "policy/kl",
  name: "KL from the reference",
  advice:
    "The policy has left the model it started from, and its texts may be broken: read the rollouts. Lower learning_rate or max_grad_norm, or raise beta.",
});

export const entropyLow = rangeRule({
  fires: "below",
  defaults: { window: 10, threshold: 0.01, clear: 0.02 },
  metric: "policy/entropy",
  name: "entropy",
  advice:
    "The policy says the same each time, so groups cannot differ and nothing is left to learn. Stop here if the reward is good; else start again with a lower learning_rate, entropy_coef above 0, a higher epsilon_high or temperature.",
});

export const entropyHigh = rangeRule({
  fires: "above",
  defaults: { window: 10, threshold: 4, clear: 3 },
  metric: "policy/entropy",
  name: "entropy",
  advice:
    "The policy draws nearly at random: weights that were never trained, or training that broke them. Train supervised first; lower learning_rate, entropy_coef or temperature.",
});

function rangeRule({
  metric,
  name,
  advice,
  ...rule
}: Pick<AlarmRule, "fires" | "defaults"> & Readonly<Record<"metric" | "name" | "advice", string>>): AlarmRule {
  return {
    ...rule,
    measure(steps, window) {
      const counted = steps.filter(({ metrics }) => metricOf(metrics, "completion/masked_fraction") !== 1);
      const value = windowMean(counted, window, metric);
      if (value === null) return [];
      const message = `the ${name} was ${short(value)} nats per token over ${lastSteps(window)}`;
      return [{ subject: null, value, message, evidence: evidence(counted.slice(-1)), advice }];
    },
  };
}
