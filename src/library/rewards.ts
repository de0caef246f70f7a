/** viva-rl/rewards: what a completion earns, the rewards that come with viva, and the interface for your own. */
export type { AnswerType, Completion, Evidence, Example } from "../core/records.ts";
export {
  buildRewards,
  combineRewards,
  type GroupScores,
  type Reward,
  type RewardContext,
  type RewardLog,
  type RewardSpec,
  rewards,
  rewardsAt,
  type ScheduledReward,
  type Scores,
  scoreGroup,
  type Weight,
  type WeightedReward,
} from "../rewards/index.ts";
