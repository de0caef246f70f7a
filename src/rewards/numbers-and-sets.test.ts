import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { setAgreement } from "../answers/multi.ts";
import type { Completion, Example, NumericTarget } from "../core/records.ts";
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
    expect(() => rewards.numeric({ scale: 0 } as never)).toThrow(/option "scale": a number above 0, or train_std/);
  });

  it("takes its scale from the training targets of a unit, censored ones left out", async () => {
    const targets = [8, 12, 16].map((value) => ({ value, unit: "months" }));
    const trainTargets = [...targets, { value: 90, unit: "months", event: false }, { value: 5, unit: "mm" }];
    const score = async (options: object) => {
      const reward = rewards.numeric({ style: "plain", ...options } as never, {
        trainTargets: [...trainTargets, { value: 9, unit: "mm" }],
      });
      return (await reward.score(asked({ value: 12, unit: "months" }), [completion("14 months")]))[0];
    };
    expect(await score({})).toBeCloseTo(1 - 2 / Math.sqrt(32 / 3), 12);
    const logs = [9, 13, 17].map(Math.log);
    const mean = logs.reduce((sum, one) => sum + one, 0) / 3;
    const deviation = Math.sqrt(logs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 3);
    expect(await score({ log: true })).toBeCloseTo(1 - Math.log(15 / 13) / deviation, 12);
    expect(() => rewards.numeric({} as never)).toThrow("known in training alone");
    expect(() => rewards.numeric({} as never, { trainTargets })).toThrow("targets in mm do not differ (1 known)");
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

describe("survival", () => {
  const form = (status: string, months: number, reasoning = "There is a nodule. It measures 30 mm.") =>
    `<reasoning>${reasoning}</reasoning><comment>So.</comment><prediction>Overall Survival Status: ${status}\nEstimated Overall Survival (months): ${months}</prediction>`;
  const example = (event: boolean) => ({
    ...asked({ value: 24, unit: "months", event }),
    rationale: "There is a nodule. It measures 30 mm.",
  });
  const context = { style: "reasoning_prediction" } as const;
  const score = async (event: boolean, text: string) => {
    const reward = await rewards.survival({ months: { scale: 12 } } as never, context);
    return (await reward.score(example(event), [completion(text)]))[0]!;
  };

  it("adds status, months, half the reasoning and half the form", async () => {
    expect(await score(true, form("1:DECEASED", 24))).toBe(3);
    expect(await score(true, form("0:LIVING", 24))).toBe(2);
    expect(await score(true, form("1:DECEASED", 30))).toBeCloseTo(2.5, 12);
    expect(await score(true, form("1:DECEASED", 24, "Who knows?"))).toBe(2.5);
    expect(await score(true, "24")).toBe(0);
  });

  it("is flat above a censored time, and a year is 12 months", async () => {
    for (const months of [24, 25, 60, 500]) expect(await score(false, form("0:LIVING", months))).toBe(3);
    expect(await score(false, form("0:LIVING", 18))).toBeCloseTo(2.5, 12);
    const years = form("1:DECEASED", 24).replace("(months): 24", "(years): 2");
    expect(await score(true, years)).toBe(3);
  });
});

describe("rationale", () => {
  itMatchesGolden<{ readonly value: number }>("rouge_l", "F1 of the longest common subsequence", async ({ value }) => {
    // Five words against five, of which three are in the same order.
    const example = { ...asked({ value: 1 }), rationale: "nodule seen left upper lobe" };
    const said = completion("<think>left nodule seen upper side</think><answer>1</answer>");
    expect((await rewards.rationale({} as never).score(example, [said]))[0]).toBeCloseTo(value, 9);
  });

  it("is 0 without reasoning, and null without a reference", async () => {
    const { rationale } = rewards;
    const example = { ...asked({ value: 1 }), rationale: "a nodule" };
    expect(await rationale({} as never).score(example, [completion("<think></think><answer>1</answer>")])).toEqual([0]);
    expect(await rationale({} as never).score(asked({ value: 1 }), [completion("a nodule")])).toEqual([null]);
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
