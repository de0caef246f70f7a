/** viva-rl/rewards: computing rewards, the built-in rewards, and the interface for your own. */
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
