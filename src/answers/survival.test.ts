import { describe, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { numberOf } from "./number.ts";
import { parseAnswer } from "./parse.ts";
import { promptStyle, questionMessages, targetText } from "./prompts.ts";
import { parseRationale } from "./rationale.ts";
import { statusOf, survivalText } from "./survival.ts";
import { followsStyle } from "./tags.ts";

const style = "reasoning_prediction";
const example = (event: boolean): Example => ({
  ...{ id: "e", subjectId: "s", question: "How long?", images: [], choices: [], meta: {} },
  ...{ answer: "14 months", answerType: "numeric", target: { value: 14, unit: "months", event } },
  rationale: "There is a nodule of 30 mm. The patient is 70 years old.",
});

describe.each([true, false])("survival in its layout, event %s", (event) => {
  const target = targetText(example(event), style, "rationale_answer");

  it("is taught in a form that reads back: tags, reasoning, status and months", () => {
    expect(target).toContain(event ? "1:DECEASED" : "0:LIVING");
    expect(target).toContain("<comment>The patient is 70 years old.</comment>");
    expect(followsStyle(target, style)).toBe(true);
    expect(parseRationale(target, style)!.text).toBe(example(event).rationale);
    const answer = parseAnswer(target, { style })!.text;
    expect(answer).toBe(survivalText(example(event)));
    expect(statusOf(answer)).toBe(event);
    expect(numberOf(answer, "months")).toBe(14);
  });

  it("asks for the form, and the words tell nothing of the event", () => {
    const [turn] = questionMessages(example(event), promptStyle(style));
    const text = turn!.content.map((part) => (part.type === "text" ? part.text : "")).join("");
    expect(text).toContain("0:LIVING");
    expect(text).toContain("1:DECEASED");
    expect(text).toContain("<prediction>");
  });
});

describe("status", () => {
  it.each([
    ["Overall Survival Status: 1:DECEASED", true],
    ["0:LIVING", false],
    ["The patient is alive.", false],
    ["dead", true],
    ["1:LIVING", null],
    ["0:LIVING or 1:DECEASED", null],
    ["14 months", null],
    ["", null],
  ])("%j is %j", (answer, expected) => {
    expect(statusOf(answer)).toBe(expected);
  });
});

describe("months beside a status", () => {
  it.each([
    ["Overall Survival Status: 1:DECEASED / Estimated Overall Survival (months): 14", 14],
    ["1:DECEASED, 14 months", 14],
    ["Estimated Overall Survival (years): 2", 24],
    ["Estimated Overall Survival (months): 1 year", 12],
    ["Overall Survival Status: 1:DECEASED", null],
    ["Estimated Overall Survival (months): 10-14", null],
    ["Estimated Overall Survival (months): > 12", null],
  ])("%j is %j", (answer, expected) => {
    expect(numberOf(answer, "months")).toBe(expected);
  });
});

describe("the layout", () => {
  const whole = "<reasoning>a</reasoning>\n<comment>b</comment>\n<prediction>14</prediction>";
  it.each([
    [whole, true],
    [whole.replace("<comment>b</comment>", ""), false],
    [whole.replaceAll("prediction", "answer"), false],
    [`so ${whole}`, false],
    [`${whole}.`, false],
    [whole.replace("14", " "), false],
    [`${whole}${whole}`, false],
  ])("%j: %j", (text, expected) => {
    expect(followsStyle(text, style)).toBe(expected);
  });

  it("an answer inside the reasoning is none, an open tag is read leniently alone", () => {
    const inside = "<reasoning>so <prediction>14</prediction></reasoning>";
    expect(parseAnswer(inside, { style })).toBeNull();
    const open = "<reasoning>a</reasoning><comment>b</comment><prediction> 1:DECEASED, 14";
    expect(parseAnswer(open, { style })).toBeNull();
    expect(parseAnswer(open, { style, lenient: true })!.text).toBe("1:DECEASED, 14");
  });
});
