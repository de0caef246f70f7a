/** The algorithms and token losses by name. */
import type { TokenLoss, TokenLossName } from "./algorithm.ts";
import { drGrpo } from "./dr_grpo.ts";
import { clippedTokenLoss, grpo } from "./grpo.ts";
import { supervisedTokenLoss } from "./sft.ts";

export const rolloutAlgorithms = { grpo, dr_grpo: drGrpo } as const;
export type RolloutAlgorithmName = keyof typeof rolloutAlgorithms;

export const tokenLosses: Readonly<Record<TokenLossName, TokenLoss>> = {
  supervised: supervisedTokenLoss,
  clipped: clippedTokenLoss,
};

export type { TokenLossName } from "./algorithm.ts";
