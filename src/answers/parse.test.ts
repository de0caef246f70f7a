import { describe, expect, it } from "vitest";
import { type ParseOptions, parseAnswer } from "./parse.ts";

function textOf(completion: string, options?: ParseOptions): string | null {
  const parsed = parseAnswer(completion, options);
  if (parsed !== null) expect(completion.slice(parsed.start, parsed.end)).toBe(parsed.text);
  return parsed?.text ?? null;
}

describe("parseAnswer, strict", () => {
  it("takes the one tagged answer with its span", () => {
    const completion = "<think>x</think>\n<answer> Left\u200b lung \u200b</answer>";
    expect(textOf(completion)).toBe("Left\u200b lung");
    expect(parseAnswer(completion)?.start).toBe(completion.indexOf("Left"));
  });

  it.each([
    ["unclosed", "<think>x</think><answer>yes"],
    ["closed only", "yes</answer>"],
    ["reversed", "</answer>yes<answer>"],
    ["repeated", "<answer>yes</answer><answer>no</answer>"],
    ["nested", "<answer><answer>yes</answer></answer>"],
    ["empty", "<answer> \n\u200b</answer>"],
    ["inside the thought", "<think>perhaps <answer>yes</answer></think>no"],
    ["no tag", "The answer is yes."],
    ["nothing", ""],
  ])("gives null for an answer that is %s", (_, completion) => {
    expect(textOf(completion)).toBeNull();
  });

  it("takes the whole text in the plain style", () => {
    expect(textOf(" Left lung.\n", { style: "plain" })).toBe("Left lung.");
    expect(textOf("  ", { style: "plain" })).toBeNull();
  });
});

describe("parseAnswer, lenient", () => {
  it.each([
    ["<answer>yes</answer>", "yes"],
    ["<answer>yes</answer><answer>no</answer>", "no"],
    ["<answer><answer>yes</answer></answer>", "yes"],
    ["<answer>yes</answer> and <answer>", "yes"],
    ["<think>x</think><answer>left lu", "left lu"],
    ["yes</answer>", "yes"],
    ["<think>the answer is no</think> The answer is: **Yes**. It is large.", "Yes"],
    ["Answer: no. Wait.\nFinal answer: (B) left lung\nThat is all.", "(B) left lung"],
    ["The answer is B. left lung. Done", "B. left lung"],
    ["The answer is 5.6 cm.", "5.6 cm"],
    ["There are more. Answer: 4. They are small.", "4"],
    ["Answer:\n\nyes", "yes"],
    ["answer is yes. answer:", "yes"],
    ["<think>no effusion</think> yes", "yes"],
    ["<think>the answer is no</think>", "no"],
    ["Left lung", "Left lung"],
  ])("%j answers %j", (completion, expected) => {
    expect(textOf(completion, { lenient: true })).toBe(expected);
  });

  it("gives null only for nothing", () => {
    expect(textOf(" \u200b\n", { lenient: true })).toBeNull();
  });
});

describe("parseAnswer on hostile texts", () => {
  const n = 60_000;
  it.each([
    ["open tags", "<answer>".repeat(n)],
    ["close tags", "</answer>".repeat(n)],
    ["pairs", "<answer></answer>".repeat(n)],
    ["thoughts", "<think></think>".repeat(n)],
    ["statements", "answer: ".repeat(n)],
    ["statement lines", "answer is\n".repeat(n)],
    ["blanks", " ".repeat(8 * n)],
    ["brackets", "<".repeat(8 * n)],
  ])("is linear in %s", (_, completion) => {
    const begin = performance.now();
    for (const style of ["think_answer", "answer_only", "plain"] as const) {
      textOf(completion, { style });
      textOf(completion, { style, lenient: true });
    }
    expect(performance.now() - begin).toBeLessThan(3000);
  });
});
