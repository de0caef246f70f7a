import { describe, expect, it } from "vitest";
import { cpuTime } from "../../test/cpu-time.ts";
import { answerKey } from "./answer-key.ts";
import { chosenOption, referenceOption, rightOption } from "./choice.ts";
import { matchAnswer } from "./match.ts";

/** The letter that is read, or "-". */
const read = (answer: string, choices: readonly string[]) => {
  const chosen = chosenOption(answer, choices);
  return chosen === null ? "-" : String.fromCharCode(65 + chosen.index);
};

describe("options that a careless reading confuses", () => {
  it.each([
    [["CD8+", "CD8-"], "CD8-", "B"],
    [["CD8+", "CD8-"], "CD8\u2212", "B"],
    [["CD8+", "CD8-"], "CD8", "-"],
    [["CD8+", "CD8-"], "A. CD8-", "-"],
    [["PR+/HER2+", "PR+/HER2-", "PR-/HER2-"], "pr+, her2-", "B"],
    [["B+", "B-", "O+", "O-"], "B", "B"],
    [["B+", "B-", "O+", "O-"], "O-", "D"],
    [["aorta > artery", "aorta < artery"], "aorta<artery", "B"],
    [["three", "3"], "3", "B"],
    [["three", "3"], "three", "A"],
    [["three", "3"], "it is three", "-"],
    [["3", "3+"], "3+", "B"],
    [["3", "3+"], "3 +", "B"],
    [["7 mm", "0.7 mm"], ".7 mm", "B"],
    [["7 mm", "70 mm"], "less than 7 mm", "-"],
    [["7 mm", "70 mm"], "3-7 mm", "-"],
    [["-1.5", "1.5"], "\u22121.5", "A"],
    [["stage I", "stage II"], "stage I-II", "-"],
    [["T1", "T2"], "T1/T2", "-"],
    [["T1", "T2"], "T2-weighted", "B"],
    [["2", "6"], "IL-6", "-"],
    [["O", "A", "B"], "A", "-"],
    [["O", "A", "B"], "B. A", "B"],
    [["O", "A", "B"], "option B", "B"],
    [["Bb", "BB"], "bb", "-"],
    [["Bb", "BB"], "B. BB", "B"],
    [["ER-positive", "ER-negative"], "ER+", "A"],
    [["tears", "no tears"], "There are no tears", "B"],
    [["vitamin A", "vitamin D"], "vitamin A or vitamin D", "-"],
    [["S. aureus", "E. coli"], "E. coli", "B"],
    [["S. aureus", "E. coli", "K. oxytoca", "P. vulgaris", "C. difficile"], "E. faecalis", "-"],
    [["grade I", "grade II", "grade III"], "grade I or III", "-"],
    [["grade I", "grade II", "grade III"], "Grade 3", "C"],
    [["grade I", "grade II"], "grade I or V", "-"],
    [["left kidney", "right kidney"], "left and right kidney", "-"],
    [["viral hepatitis", "toxic hepatitis"], "toxic or viral hepatitis", "-"],
    [["C3 to C4", "C3", "C4"], "C3 through C4", "-"],
    [["twenty", "twenty-six"], "26", "B"],
    [["<2 cm", "2 cm", "≥2 cm"], "2 cm or larger", "C"],
    [["<2 cm", "2 cm", "≥2 cm"], "&lt; 2 cm", "A"],
    [["<2 cm", "2 cm", "≥2 cm"], "$\\geq 2$ cm", "C"],
    [["<2 cm", "2 cm", "≥2 cm"], "2 cm or less", "-"],
    [["<2 cm", "2 cm", "≥2 cm"], "greater than or equal to 2 cm", "C"],
    [["1:4", "4:1"], "1 : 4", "A"],
    [["10^2", "10"], "10<sup>2</sup>", "A"],
    [["Yes", "No"], "There is no question: yes", "A"],
    [["left", "right"], "All right, it is not clear", "-"],
    [["cyst", "stone", "All of the above"], "All of the above except stone", "-"],
  ] as const)("of %j %j is %s", (choices, answer, expected) => {
    expect(read(answer, choices)).toBe(expected);
  });

  it("are told apart by the row's index, not by the reference's text", () => {
    const question = { answer: "three", answerType: "choice", choices: ["3", "three"], answerIndex: 1 } as const;
    expect(rightOption(question)).toBe(1);
    expect(matchAnswer(question, "B").correct).toBe(true);
    expect(matchAnswer(question, "A").correct).toBe(false);
    expect(answerKey(question, "B")).toBe("three");
    expect(answerKey(question, "A")).toBe("3");
  });

  it("are found by a reference's text, else by its letter", () => {
    expect(referenceOption("CD8-", ["CD8+", "CD8-"])).toBe(1);
    expect(referenceOption("b", ["CD8+", "CD8-"])).toBe(1);
    expect(referenceOption("c", ["CD8+", "CD8-"])).toBe(-1);
    expect(referenceOption("Lung", ["lung", "LUNG"])).toBe(-1);
  });
});

describe("denied options", () => {
  const choices = ["spleen", "pancreas", "left kidney", "liver"];
  it.each([
    ["not D", "-"],
    ["It is not the liver.", "-"],
    ["D is wrong", "-"],
    ["D (incorrect)", "-"],
    ["The liver can be excluded.", "-"],
    ["The liver cannot be excluded.", "-"],
    ["I doubt that it is the liver", "-"],
    ["It is unclear whether this is D", "-"],
    ["neither A nor D", "-"],
    ["Not A, B or D", "-"],
    ["No spleen, liver", "-"],
    ["A and B are not right", "-"],
    ["anything but D", "-"],
    ["all but D", "-"],
    ["A, B and D are wrong", "-"],
    ["~~D~~", "-"],
    ["≠ D", "-"],
    ["D: 错误", "-"],
    ["D, no wait, A", "-"],
    ["D... actually A", "-"],
    ["By excluding D, B and A we are left alone", "-"],
    ["not just A but D too", "-"],
    ["A as well as D", "-"],
    ["The liver was considered but not confirmed", "-"],
    ["The liver is questionable", "-"],
    ["Liver? Uncertain.", "-"],
    ["not A but D", "D"],
    ["D, not A", "D"],
    ["D rather than A", "D"],
    ["A is incorrect and D is correct", "D"],
    ["A is wrong; it is D.", "D"],
    ["D because A is wrong", "D"],
    ["Not only the liver", "D"],
    ["No doubt: D", "D"],
    ["No, D", "D"],
    ["The liver is seen, without a spleen", "D"],
    ["B is not right, but the liver", "D"],
  ])("%j is %s", (answer, expected) => {
    expect(read(answer, choices)).toBe(expected);
  });
});

describe("long answers", () => {
  it.each(["a", "is not ", "no a, ", "A B ", "not A or ", "a+ ", "(A)", "liver? ", "is "])(
    "%j again and again takes linear time",
    (part) => {
      const begin = cpuTime();
      const text = part.repeat(100_000 / part.length);
      chosenOption(text, ["liver", "spleen", "A+"]);
      matchAnswer({ answer: "yes", answerType: "closed", choices: [] }, text);
      matchAnswer({ answer: "liver+", answerType: "open", choices: [] }, text);
      expect(cpuTime() - begin).toBeLessThan(4000);
    },
  );
});

describe("letters that are labels and letters that are not", () => {
  const choices = ["spleen", "pancreas", "left kidney", "liver", "heart", "lung", "brain", "colon", "skin", "bone"];
  it.each([
    ["A+B", "-"],
    ["A & B", "-"],
    ["A B", "-"],
    ["A, B and D", "-"],
    ["AB", "-"],
    ["vitamin D", "-"],
    ["D dimer", "-"],
    ["factor A", "-"],
    ["D. cardiomegaly", "D"],
    ["Answer: a liver", "D"],
    ["I see it", "-"],
    ["I choose D", "D"],
    ["J", "J"],
    ["(i)", "I"],
    ["A is the answer", "A"],
    ["The answer is A, clearly", "A"],
    ["d. liver", "D"],
    ["D liver", "D"],
    ["Ｄ\u00a0", "D"],
  ])("%j is %s", (answer, expected) => {
    expect(read(answer, choices)).toBe(expected);
  });
});
