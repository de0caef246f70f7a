import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import type { Completion, Example, NumericTarget } from "../core/records.ts";
import { setAgreement } from "./choice-set.ts";
import { rewards } from "./table.ts";

const completion = (answer: string): Completion => ({
  ...{ text: answer, tokenIds: new Int32Array(1), logProbs: new Float32Array(1) },
  ...{ finishReason: "stop", policyVersion: 0 },
});
const asked = (target: NumericTarget): Example => ({
  ...{
    id: "a",
    subjectId: "a",
    question: "How many?",
    images: [],
    answer: String(target.value),
    answerType: "numeric",
  },
  ...{ choices: [], target, meta: {} },
});

async function numeric(target: NumericTarget, answer: string, options: object): Promise<number | null> {
  const reward = rewards.numeric({ style: "plain", ...options } as never);
  return (await reward.score(asked(target), [completion(answer)]))[0]!;
}

describe("numeric", () => {
  it("reads units, and gives nothing for ranges, words and other kinds of question", async () => {
    const target = { value: 12, unit: "months" };
    expect(await numeric(target, "1 year", { scale: 10 })).toBe(1);
    expect(await numeric(target, "about 14 months", { scale: 10 })).toBeCloseTo(0.8, 12);
    expect(await numeric(target, "12-14 months", { scale: 10 })).toBe(0);
    expect(await numeric(target, "soon", { scale: 10 })).toBe(0);
    expect(await numeric({ ...target, tolerance: 3 }, "14 months", { scale: 10 })).toBe(1);
    const reward = rewards.numeric({ style: "plain", scale: 1 } as never);
    expect(await reward.score({ ...asked(target), answerType: "open" }, [completion("12")])).toEqual([null]);
    expect(await numeric({ value: 3 }, "-4", { scale: 1, log: true })).toBe(0);
    expect(() => rewards.numeric({} as never)).toThrow(/option "scale": a number above 0/);
  });

  interface Distances {
    readonly cases: readonly { yhat: number; y: number; scale: number; tol: number; log: boolean; r: number }[];
  }
  itMatchesGolden<Distances>("numeric", "the reward by distance", async ({ cases }) => {
    for (const { yhat, y, scale, tol, log, r } of cases) {
      expect(await numeric({ value: y }, String(yhat), { scale, tolerance: tol, log })).toBeCloseTo(r, 9);
    }
  });

  interface Survival {
    readonly cases: readonly { yhat: number; y: number; event: number; scale: number; r: number }[];
  }
  itMatchesGolden<Survival>("survival", "months, censored times met by later ones", async ({ cases }) => {
    for (const { yhat, y, event, scale, r } of cases) {
      expect(await numeric({ value: y, event: event === 1 }, String(yhat), { scale })).toBeCloseTo(r, 9);
    }
  });
});

describe("choice_set", () => {
  const example: Example = {
    ...{ id: "b", subjectId: "b", question: "Which?", images: [], answer: "B,C", answerType: "multi", meta: {} },
    choices: ["edema", "nodule", "effusion", "mass"],
  };
  const score = async (answer: string, by = "f1") => {
    return (await rewards.choice_set({ style: "plain", by } as never).score(example, [completion(answer)]))[0];
  };

  it("takes letters and texts in any order, and shuffled options leave it", async () => {
    expect(await score("C, B")).toBe(1);
    expect(await score("effusion and nodule")).toBe(1);
    expect(await score("B")).toBeCloseTo(2 / 3, 12);
    expect(await score("B", "jaccard")).toBeCloseTo(1 / 2, 12);
    expect(await score("B", "exact")).toBe(0);
    expect(await score("B, perhaps")).toBe(0);
    const turned = { ...example, choices: [...example.choices].reverse(), answer: "B,C" };
    const reward = rewards.choice_set({ style: "plain" } as never);
    expect(await reward.score(turned, [completion("nodule, effusion")])).toEqual([1]);
  });

  interface Sets {
    readonly cases: readonly { pred: string; gold: string; f1: number; exact: number; jaccard: number }[];
  }
  itMatchesGolden<Sets>("multi_answer", "agreement of sets", ({ cases }) => {
    const indices = (letters: string) => [...letters].map((letter) => letter.charCodeAt(0) - 65);
    for (const { pred, gold, ...wanted } of cases) {
      for (const by of ["f1", "exact", "jaccard"] as const) {
        expect(setAgreement(indices(pred), indices(gold), by)).toBeCloseTo(wanted[by], 9);
      }
    }
  });
});
