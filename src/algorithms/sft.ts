/** Supervised fine-tuning: the negative log-prob of the target's tokens. */
import { neg } from "../compiler/ops/index.ts";
import { type TokenLoss, unbounded } from "./algorithm.ts";

export const supervisedLoss: TokenLoss = { policyLoss: ({ logProb }) => neg(logProb), bounds: unbounded };
