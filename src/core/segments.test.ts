import { expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { tokenWeights } from "../algorithms/token-weights.ts";
import type { Segment } from "./records.ts";
import { policyLength, policyMask, policyValues } from "./segments.ts";

interface Golden {
  readonly segments: readonly (readonly [Segment["by"], number])[];
  readonly mask: readonly number[];
  readonly policy_tokens: number;
  readonly grpo_token_weight: number;
  readonly dr_grpo_token_weight_max64_B1: number;
}

itMatchesGolden<Golden>("trajectory_mask", "the mask, and weights by the policy's tokens", (golden) => {
  const segments = golden.segments.map(([by, tokens]): Segment => ({ by, tokens }));
  expect([...policyMask(segments)]).toEqual(golden.mask);
  const length = policyLength({ tokenIds: new Int32Array(golden.mask.length), segments });
  expect(length).toBe(golden.policy_tokens);
  const weight = (lossType: "grpo" | "dr_grpo") =>
    tokenWeights([length], [false], { lossType, maxCompletionLength: 64 })[0];
  expect(weight("grpo")).toBeCloseTo(golden.grpo_token_weight, 9);
  expect(weight("dr_grpo")).toBeCloseTo(golden.dr_grpo_token_weight_max64_B1, 9);
});

it("without segments all tokens are the policy's", () => {
  expect(policyLength({ tokenIds: new Int32Array(7) })).toBe(7);
  const values = Float32Array.of(1, 2, 3);
  expect(policyValues(values, undefined)).toBe(values);
  expect([
    ...policyValues(values, [
      { by: "policy", tokens: 1 },
      { by: "observation", tokens: 2 },
    ]),
  ]).toEqual([1]);
});
