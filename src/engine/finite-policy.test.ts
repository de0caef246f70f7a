import { describe, expect, it } from "vitest";
import { OverflowError } from "../core/errors.ts";
import type { RolloutResult } from "../core/records.ts";
import { finitePolicy } from "./finite-policy.ts";

/** A policy whose every answer has these log-probs, and whose images become this vector. */
function policyOf(logProbs: readonly number[], vector: readonly number[]) {
  const values = Float32Array.from(logProbs);
  const completion = { tokenIds: Int32Array.of(1), logProbs: values, text: "", policyVersion: 0 };
  const group: RolloutResult = { index: 0, completions: [{ ...completion, finishReason: "stop" }] };
  return finitePolicy(
    {
      async *sample() {
        yield group;
      },
      logProbs: async () => ({ logProbs: [values], entropies: [] }),
      embed: async () => [Float32Array.from(vector)],
    },
    () => "films",
  );
}

const sampling = { numGenerations: 1, maxCompletionLength: 1, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 };

async function everything(policy: ReturnType<typeof policyOf>) {
  const groups = [];
  for await (const group of policy.sample([], sampling)) groups.push(group);
  const scores = await policy.logProbs([], sampling);
  return [groups[0]!.completions[0]!.logProbs, scores.logProbs[0], (await policy.embed([]))[0]];
}

describe("a policy of finite numbers", () => {
  it("passes on what is finite, however small", async () => {
    const logProbs = Float32Array.of(-1e9, 0);
    const vector = Float32Array.of(3e38, -1e-45);
    expect(await everything(policyOf([-1e9, 0], [3e38, -1e-45]))).toEqual([logProbs, logProbs, vector]);
  });

  it.each([Number.NaN, Number.NEGATIVE_INFINITY])("ends at %s, by whatever call", async (value) => {
    const broken = policyOf([-1, value], [1, value]);
    const told = `films: the log-prob of token 2 is ${value}: the model's weights are so large`;
    await expect(broken.sample([], sampling)[Symbol.asyncIterator]().next()).rejects.toThrow(told);
    await expect(broken.logProbs([], sampling)).rejects.toThrow(told);
    await expect(broken.embed([])).rejects.toThrow(OverflowError);
    await expect(broken.embed([])).rejects.toThrow(`films: an image becomes ${value}`);
  });
});
