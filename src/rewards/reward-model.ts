/**
 * What a reward model says of a completion, in units of what it says of the policy that a stage begins with: (s − μ) / σ, with μ
 * and σ of 256 of its completions, kept for the whole stage. That form is ours; a score has no zero and no unit of its own.
 */
import { z } from "zod";
import { RunError, UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const rewardModelOptions = z.object({
  /** A run of kind reward_model, a checkpoint of one, or any folder with a score head. */
  path: z.string({ error: "a run, checkpoint or folder of a reward model" }),
});

/** Completions that the unit is measured on. */
const MEASURED = 256;

/** Any number; null where a completion cannot be put to the model. Before it is calibrated, the bare score. */
export const rewardModel = defineReward(
  "reward_model",
  rewardModelOptions,
  async ({ path }, { services }): Promise<Reward> => {
    if (services === undefined) throw new UserError('reward "reward_model": needs a model, which only runs can open');
    const scorer = await services.openScorer(path);
    let unit: { readonly mean: number; readonly std: number } | null = null;
    return {
      name: "reward_model",
      folder: scorer.folder,
      async score(example, completions) {
        const scores = await scorer.score(example, completions);
        const { mean, std } = unit ?? { mean: 0, std: 1 };
        return scores.map((score) => (score === null ? null : (score - mean) / std));
      },
      calibration: {
        completions: MEASURED,
        async measure(samples) {
          const groups = await Promise.all(samples.map((own) => scorer.score(own.example, own.completions)));
          const scores = groups.flat().filter((score) => score !== null);
          const mean = meanOf(scores);
          const std = Math.sqrt(meanOf(scores.map((score) => (score - mean) ** 2)));
          if (!(std > 1e-9 * Math.max(1, Math.abs(mean)))) {
            throw new RunError(
              `reward "reward_model": ${path} gives all ${scores.length} completions of the policy the same score, so it tells none apart`,
            );
          }
          unit = { mean, std };
        },
        state: () => unit,
        restore({ mean, std }) {
          unit = { mean: mean!, std: std! };
        },
      },
    };
  },
  ["path"],
);
