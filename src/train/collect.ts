/** The seam that a stage's rollouts come through: examples in, scored samples out. Steps ask for nothing else of sampling. */
import type { Completion, Example, Prompt, SamplingOptions } from "../core/records.ts";
import type { GroupScores, WeightedReward } from "../rewards/index.ts";
import type { StepRewardLog } from "./reward-log.ts";

/** A group before it has advantages. */
export interface ScoredSample extends GroupScores {
  readonly example: Example;
  readonly prompt: Prompt;
  readonly completions: readonly Completion[];
}

export interface CollectRequest {
  readonly sampling: SamplingOptions;
  readonly rewards: readonly WeightedReward[];
  /** Told what rewards count beside their scores. */
  readonly log: StepRewardLog;
}

export interface Collected {
  /** In the order of their examples; those that were skipped are missing. */
  readonly samples: readonly ScoredSample[];
  readonly seconds: { readonly sample: number; readonly reward: number };
}

/** Samples and scores a group for each example. Equal calls under equal weights give equal samples. */
export type CollectRollouts = (examples: readonly Example[], request: CollectRequest) => Promise<Collected>;
