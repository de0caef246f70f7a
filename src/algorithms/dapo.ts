/** DAPO (arXiv 2503.14476): a wider clip upwards, every token alike, and no group that teaches nothing. */
import type { RolloutAlgorithm } from "./algorithm.ts";
import { grpo } from "./grpo.ts";

export const dapo: RolloutAlgorithm = {
  name: "dapo",
  defaults: { ...grpo.defaults, lossType: "dapo", epsilonHigh: 0.28, filterGroups: true },
};
