import { describe, expect, it } from "vitest";
import type { AnswerType, Example } from "../core/records.ts";
import { chosenOption } from "./choice.ts";
import { polarity } from "./closed.ts";
import { type MatchMode, matchAnswer } from "./match.ts";
import { normalise } from "./normalise.ts";
import { answerItems, containsReference, exactMatch, tokenF1 } from "./open.ts";

function example(answerType: AnswerType, answer: string, choices: readonly string[] = []): Example {
  return { id: "e", subjectId: "s", question: "?", images: [], answer, answerType, choices, meta: {} };
}

describe("normalise", () => {
  it.each([
    ["The Right  Lung.", "right lung"],
    ["ＰＡ ﬁlm", "pa film"],
    ["le\u200bft", "left"],
    ["X-ray", "x ray"],
    ["patient’s", "patients"],
    ["Two kidneys", "2 kidneys"],
    ["02", "2"],
    ["2.0", "2"],
    ["1,000 ml", "1000 ml"],
    ["5.6cm", "5.6 cm"],
    ["2-3 cm", "2-3 cm"],
    ["-100 HU", "-100 hu"],
    ["<5 mm, > 3", "<5 mm >3"],
    ["50%", "50 percent"],
    ["4th ventricle", "4th ventricle"],
    ["T2-weighted", "t2 weighted"],
    ["Hepatitis A", "hepatitis a"],
    ["a", "a"],
    ["an abscess", "abscess"],
    ["Ödem", "ödem"],
    ["?!", ""],
  ])("%j becomes %j", (text, expected) => {
    expect(normalise(text)).toBe(expected);
    expect(normalise(expected)).toBe(expected);
  });
});

describe("polarity", () => {
  it.each([
    ["Yes", "yes"],
    ["NO.", "no"],
    ["**Yes**, there is.", "yes"],
    ["No, the lungs are clear", "no"],
    ["There is no effusion", "no"],
    ["True", "yes"],
    ["Absent", "no"],
    ["None", "no"],
    ["not present", "no"],
    ["It isn't present", "no"],
    ["No opacity is present", "no"],
    ["not absent", "yes"],
    ["Yes, but no effusion", null],
    ["No. Present on the left", null],
    ["yes and no", null],
    ["nothing known", null],
    ["yesterday", null],
    ["", null],
  ])("%j says %j", (text, expected) => {
    expect(polarity(text)).toBe(expected);
  });
});

describe("chosenOption", () => {
  const choices = ["left lung", "right lung", "Hepatitis B", "lung"];
  it.each([
    ["B", 1, true],
    ["b", 1, true],
    ["(B)", 1, true],
    ["b.", 1, true],
    ["The right lung.", 1, true],
    ["B. right lung", 1, false],
    ["b) right lung", 1, false],
    ["Option B", 1, false],
    ["It is the left lung", 0, false],
    ["C. Hepatitis B", 2, false],
    ["hepatitis B", 2, true],
    ["A lung", 3, true],
    ["I see a lung", 3, false],
  ])("%j names option %i", (answer, index, bare) => {
    expect(chosenOption(answer, choices)).toEqual({ index, bare });
  });

  it.each([
    "A or B",
    "A, B",
    "B. left lung",
    "left lung and right lung",
    "E",
    "no idea",
    "",
    "A heart",
    "B-cell disease",
  ])("%j names none", (answer) => {
    expect(chosenOption(answer, choices)).toBeNull();
  });

  it("does not choose between equal options", () => {
    expect(chosenOption("lung", ["lung", "Lung"])).toBeNull();
  });
});

describe("open answers", () => {
  it("matches lists as sets", () => {
    expect(exactMatch("lung, spleen, heart and liver", "Liver, Heart, Spleen, Lung")).toBe(true);
    expect(exactMatch("top and left", "Left and Top")).toBe(true);
    expect(exactMatch("Liver, Heart, Spleen", "Liver, Heart, Spleen, Lung")).toBe(false);
    expect(exactMatch("Left Lung, Right", "Right Lung, Left")).toBe(false);
    expect(answerItems("Inflammation, trauma, etc").size).toBe(2);
    expect(exactMatch("HER2-positive", "HER2+")).toBe(true);
    expect(exactMatch("HER2-positive", "HER2-")).toBe(false);
    expect(exactMatch("2,5 and 4", "4, 2.5")).toBe(true);
    expect(exactMatch("CD8+", "CD8-")).toBe(false);
  });

  it("does not match part of a word or of an answer", () => {
    expect(exactMatch("lung", "left lung")).toBe(false);
    expect(containsReference("the left lung is dark", "Left lung")).toBe(true);
    expect(containsReference("cleft lung", "left lung")).toBe(false);
    expect(containsReference("anything", "")).toBe(false);
    expect(containsReference("there is no edema", "edema")).toBe(false);
    expect(containsReference("there is no edema", "no edema")).toBe(true);
    expect(containsReference("CD8- cells", "CD8+")).toBe(false);
    expect(containsReference("CD8- cells", "CD8")).toBe(false);
  });

  it("computes token F1", () => {
    expect(tokenF1("the right upper lobe", "right lobe")).toBeCloseTo(0.8);
    expect(tokenF1("lung lung", "lung")).toBeCloseTo(2 / 3);
    expect(tokenF1("", "")).toBe(0);
  });
});

describe("matchAnswer", () => {
  it.each<[string, Example, string | null, MatchMode, boolean, number, boolean]>([
    ["closed", example("closed", "Yes"), "yes.", {}, true, 1, false],
    ["closed, wrong", example("closed", "No"), "yes.", {}, false, 0, false],
    ["closed, both", example("closed", "Yes"), "Yes, but no effusion", {}, false, 0, true],
    ["closed, reference left", example("closed", "Left"), "the left", {}, true, 1, false],
    ["closed, reference none", example("closed", "MRI"), "no", {}, false, 0, false],
    ["closed ignores the open mode", example("closed", "Left side"), "left", { open: "f1" }, false, 0, false],
    ["number", example("open", "2"), "Two", {}, true, 1, false],
    ["open f1", example("open", "right lobe"), "right upper lobe", { open: "f1" }, false, 0.8, false],
    ["open contains", example("open", "pneumonia"), "it is pneumonia", { open: "contains" }, true, 1, false],
    ["open, no word", example("open", "pneumonia"), "...", {}, false, 0, true],
    ["choice by letter reference", example("choice", "B", ["x", "y"]), "y", {}, true, 1, false],
    ["choice, graded", example("choice", "y", ["x", "y"]), "B. y", { graded: true }, true, 0.5, false],
    ["choice, graded and bare", example("choice", "y", ["x", "y"]), "B", { graded: true }, true, 1, false],
    ["choice, wrong and graded", example("choice", "y", ["x", "y"]), "A. x", { graded: true }, false, 0, false],
    ["no answer", example("open", "lung"), null, {}, false, 0, true],
  ])("%s", (_, of, answer, mode, correct, score, parseFailure) => {
    const match = matchAnswer(of, answer, mode);
    expect(match.correct).toBe(correct);
    expect(match.score).toBeCloseTo(score);
    expect(match.parseFailure).toBe(parseFailure);
  });
});
