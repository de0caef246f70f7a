import { describe, expect, it } from "vitest";
import type { Example, NumericTarget } from "../core/records.ts";
import { answerKey } from "./answer-key.ts";
import { matchAnswer } from "./match.ts";
import { chosenOptions } from "./multi.ts";
import { numberOf } from "./number.ts";

const base = { id: "e", subjectId: "s", question: "?", images: [], meta: {} };
const findings = ["nodule", "pleural effusion", "opacity", "pneumothorax"];
const multi = (answer: string): Example => ({ ...base, answer, answerType: "multi", choices: findings });
const numeric = (target: NumericTarget): Example => ({
  ...base,
  answer: `${target.value}`,
  answerType: "numeric",
  choices: [],
  target,
});

describe("several options", () => {
  it.each([
    ["A,C", [0, 2]],
    ["c and a", [0, 2]],
    ["C. opacity; A. nodule", [0, 2]],
    ["nodule, opacity", [0, 2]],
    ["(B)", [1]],
    ["A, A", [0]],
    ["none of them", []],
    ["A、C", [0, 2]],
    ["- A\n- C", [0, 2]],
    ["A, fracture", null],
    ["A. opacity", null],
    ["E", null],
    ["", null],
    ["both lungs", null],
  ])("%j names %j", (answer, expected) => {
    expect(chosenOptions(answer, findings)).toEqual(expected);
  });

  it("are right as a set; with f1 a part of them scores", () => {
    expect(matchAnswer(multi("A,C"), "C, A")).toEqual({ correct: true, score: 1, parseFailure: false });
    expect(matchAnswer(multi("A,C"), "A")).toEqual({ correct: false, score: 0, parseFailure: false });
    expect(matchAnswer(multi("A,C"), "A", { open: "f1" }).score).toBeCloseTo(2 / 3, 12);
    expect(matchAnswer(multi("A,C"), "A, C, D").correct).toBe(false);
    expect(matchAnswer(multi("A,C"), "a shadow").parseFailure).toBe(true);
    expect(answerKey(multi("A,C"), "opacity and nodule")).toBe("A,C");
  });
});

describe("numbers", () => {
  it.each([
    ["24 mm", "mm", 24],
    ["2.4 cm", "mm", 24],
    ["about 24", "mm", 24],
    ["24mm", "mm", 24],
    ["1 year", "months", 12],
    ["Status 1, 14 months", "months", 14],
    ["20-24 mm", "mm", null],
    ["> 20 mm", "mm", null],
    ["less than 20 mm", "mm", null],
    ["24 days", "mm", null],
    ["24 mm \u00d7 31 mm", "mm", null],
    ["between 24 and 31 mm", "mm", null],
    ["24 or 31", "mm", null],
    ["not 24", "mm", null],
    ["24 mm or larger", "mm", null],
    ["24 %", "mm", null],
    ["24 mm\u00b2", "mm", null],
    ["24 mg/dl", "mg", null],
    ["two dozen", "mm", null],
    ["24 and a half", "mm", null],
    ["1 year 6 months", "months", null],
    ["24 mm in segment 7", "mm", 24],
    ["T1 lesion of 24 mm", "mm", 24],
    ["24 mm (2.4 cm)", "mm", 24],
    ["twenty-four", "mm", 24],
    ["0.024 \\, \\mathrm{m}", "mm", 24],
    ["2 yrs", "months", 24],
    ["6 h", "days", 0.25],
    ["24 mg/dl", "mg/dl", 24],
    ["large", "mm", null],
  ])("%j in %s is %j", (answer, unit, expected) => {
    const read = numberOf(answer, unit);
    if (expected === null) expect(read).toBeNull();
    else expect(read).toBeCloseTo(expected, 9);
  });

  it("are right within their tolerance, and beyond a censored time", () => {
    const size = numeric({ value: 24, unit: "mm", tolerance: 3 });
    expect(["27 mm", "2.1 cm", "28 mm", "20"].map((answer) => matchAnswer(size, answer).correct)).toEqual([
      ...[true, true, false, false],
    ]);
    expect(matchAnswer(size, "20 to 30 mm").parseFailure).toBe(true);
    const censored = numeric({ value: 14, unit: "months", event: false });
    expect(["14", "30", "13"].map((answer) => matchAnswer(censored, answer).correct)).toEqual([true, true, false]);
    expect(matchAnswer(numeric({ value: 14, event: true }), "30").correct).toBe(false);
    expect(answerKey(size, "2.4 cm")).toBe("24");
  });
});
