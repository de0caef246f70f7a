/** Supervised fine-tuning: the negative log-prob of the target's tokens. */
import { neg } from "../compiler/ops/index.ts";
import type { TokenLoss } from "./algorithm.ts";

export const supervisedTokenLoss: TokenLoss = ({ logProb }) => neg(logProb);
