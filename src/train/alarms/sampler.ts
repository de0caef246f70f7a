/** Sampler and trainer must agree on the log-prob of every token; where they do not, gradients follow another policy. */
import type { AlarmRule } from "./alarm.ts";
import { evidence, lastSteps, short, windowMean } from "./window.ts";

export const logprobDifference: AlarmRule = {
  fires: "above",
  defaults: { window: 1, threshold: 1e-3, clear: 5e-4 },
  measure(steps, window) {
    const value = windowMean(steps, window, "sampler/logprob_diff_max");
    if (value === null) return [];
    return [
      {
        subject: null,
        value,
        message: `sampler and trainer differed by ${short(value)} in the log-prob of a token (${lastSteps(window)})`,
        evidence: evidence(steps.slice(-window)),
        advice:
          "In float32 about 1e-5 is usual. Check the device with viva doctor and repeat a few steps with engine.device: cpu; if it stays, it is a fault of viva: please report it with the step's rollouts and their sidecar.",
      },
    ];
  },
};
