import { expect, test } from "vitest";
import * as z from "zod";
import {
  advantageEstimators,
  algorithmSettings,
  defaultLossNumbers,
  partProblems,
  policyLosses,
  rolloutAlgorithms,
} from "./index.ts";

const settingsOf = (given: object) => ({ ...z.object(algorithmSettings(rolloutAlgorithms.grpo)).parse({}), ...given });

test("the options of each part stand behind its name, once", () => {
  const keys = Object.keys(algorithmSettings(rolloutAlgorithms.grpo));
  const [loss, advantage] = ["token_loss", "advantage"].map((key) => keys.indexOf(key));
  for (const estimator of Object.values(advantageEstimators)) {
    for (const key of Object.keys(estimator.options)) expect(keys.slice(advantage, loss)).toContain(key);
  }
  for (const { options } of Object.values(policyLosses)) {
    for (const key of Object.keys(options)) expect(keys.slice(loss)).toContain(key);
  }
  expect(keys).toContain("scale_rewards");
});

test("an algorithm's defaults take the place of GRPO's and leave those be", () => {
  const [dapo, grpo] = (["dapo", "grpo"] as const).map((name) =>
    z.object(algorithmSettings(rolloutAlgorithms[name])).parse({}),
  );
  expect(dapo).toEqual({
    ...grpo,
    loss_type: "dapo",
    epsilon_high: 0.28,
    filter_groups: { metric: "reward", max_resample: 3 },
  });
});

test("every loss's numbers are fed, the first one's where two share a name", () => {
  const clip = { epsilonLow: 0.2, epsilonHigh: 0.2, delta: Number.POSITIVE_INFINITY };
  const sapo = { temperaturePositive: 1, temperatureNegative: 1.05 };
  expect(defaultLossNumbers).toMatchObject({ beta: 0, ...clip, ...sapo });
});

test("an option that only another part reads must keep its idle value", () => {
  const keysOf = (given: object) => partProblems(settingsOf(given)).map(({ key }) => key);
  expect(keysOf({})).toEqual([]);
  expect(keysOf({ delta: 2 })).toEqual([]);
  expect(keysOf({ delta: 1.1 })).toEqual(["delta"]);
  expect(keysOf({ delta: 9, token_loss: "cispo" })).toEqual(["delta"]);
  expect(keysOf({ advantage: "rloo", delta: 9, token_loss: "sapo" })).toEqual(["delta", "scale_rewards"]);
});
