/** The algorithms, and what they are made of, by name. */
import { groupRelative } from "./advantages.ts";
import type { AdvantageEstimator, AdvantageName, TokenLoss, TokenLossName } from "./algorithm.ts";
import { cispo, cispoLoss } from "./cispo.ts";
import { dapo } from "./dapo.ts";
import { drGrpo } from "./dr_grpo.ts";
import { clip, grpo } from "./grpo.ts";
import { gspo } from "./gspo.ts";
import { gdpo, multiObjective } from "./multi_objective.ts";
import { opo, optimalBaseline } from "./opo.ts";
import { reinforce, reinforceLoss } from "./reinforce.ts";
import { leaveOneOut, rloo } from "./rloo.ts";
import { sapo, sapoLoss } from "./sapo.ts";
import { supervisedLoss } from "./sft.ts";

/** Stage kinds that learn from their own completions. */
export const rolloutAlgorithms = {
  grpo,
  dr_grpo: drGrpo,
  dapo,
  gspo,
  cispo,
  sapo,
  rloo,
  opo,
  reinforce,
  gdpo,
} as const;
export type RolloutAlgorithmName = keyof typeof rolloutAlgorithms;

export const tokenLosses: Readonly<Record<TokenLossName, TokenLoss>> = {
  supervised: supervisedLoss,
  clip,
  cispo: cispoLoss,
  sapo: sapoLoss,
  reinforce: reinforceLoss,
};

export const advantageEstimators: Readonly<Record<AdvantageName, AdvantageEstimator>> = {
  group_relative: groupRelative,
  rloo: leaveOneOut,
  opo: optimalBaseline,
  multi_objective: multiObjective,
};

export type { TokenLossName } from "./algorithm.ts";
