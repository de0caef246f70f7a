/** Supervised fine-tuning: the negative log-prob of the target's tokens. */
import { neg } from "../compiler/ops/index.ts";
import { defineTokenLoss, unbounded } from "./algorithm.ts";

export const supervisedLoss = defineTokenLoss({
  options: {},
  numbers: () => ({}),
  policyLoss: ({ logProb }) => neg(logProb),
  bounds: unbounded,
});
