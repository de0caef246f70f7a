import { describe, expect, it } from "vitest";
import { cpuTime } from "../../test/cpu-time.ts";
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
    ["inside a thought that never closes", "<think>perhaps <answer>yes</answer>"],
    ["inside a second thought", "<think>a</think><think>b<answer>yes</answer>"],
    ["inside a thought in other words", "<thinking>perhaps <answer>yes</answer></thinking>no"],
    ["an empty box", "<think>x</think><answer>\\boxed{}</answer>"],
    ["a rule", "<think>x</think><answer>---</answer>"],
    ["an end of turn", "<think>x</think><answer><|im_end|></answer>"],
    ["a sign that says nothing", "<think>x</think><answer>…</answer>"],
    ["a tag", "<think>x</think><answer><think></answer>"],
    ["spelled otherwise", "<think>x</think><Answer>yes</Answer>"],
    ["no tag", "The answer is yes."],
    ["nothing", ""],
  ])("gives null for an answer that is %s", (_, completion) => {
    expect(textOf(completion)).toBeNull();
  });

  it("knows that the prompt has opened the thought", () => {
    expect(textOf("so <answer>yes</answer>")).toBe("yes");
    expect(textOf("so <answer>yes</answer>", { thinkOpened: true })).toBeNull();
    expect(textOf("so</think><answer>yes</answer>", { thinkOpened: true })).toBe("yes");
  });

  it.each([
    "<|im_end|>",
    "</s>",
    "\n<|eot_id|>\n",
    "<end_of_turn>",
    "<|endoftext|><|endoftext|>",
    "<｜end▁of▁sentence｜>",
  ])("leaves %j at the end out", (end) => {
    expect(textOf(`left lung${end}`, { style: "plain" })).toBe("left lung");
    expect(textOf(`<answer>left lung</answer>${end}`)).toBe("left lung");
    expect(textOf(`<answer>left lung${end}`, { lenient: true })).toBe("left lung");
  });

  it.each([
    "left lung<|im_end|>\n<|im_start|>user\nAnd is it the right one?",
    "left lung<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nright?",
    "left lung</s><s>right",
    "left lung<end_of_turn>\n<start_of_turn>user\nright?",
    "<|im_start|>assistant\nleft lung<|im_end|>",
    "<s> left lung</s>",
    "<pad><pad>left lung",
  ])("reads the first turn alone: %j", (completion) => {
    expect(textOf(completion, { style: "plain" })).toBe("left lung");
    expect(textOf(completion, { lenient: true })).toBe("left lung");
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
    ["It is dark.\n**Answer**: edema", "edema"],
    ["It is dark.\n**Final Answer**\nedema", "edema"],
    ["## Answer\n\nedema\nThat is all.", "edema"],
    ["It is dark. Answer：edema", "edema"],
    ["答案是 edema。因为…", "edema"],
    ["Answer - edema", "edema"],
    ["<think>x</think><ANSWER>edema</Answer >", "edema"],
    ["<THINK>the answer is no</THINK>edema", "edema"],
    ["<think>x</think>\\boxed{edema}", "edema"],
    ["<answer>$\\boxed{\\text{edema}}$</answer>", "edema"],
    ["\\boxed{A} is wrong. Answer: B", "B"],
    ["Answer: A. No: \\boxed{B}", "B"],
    ["\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
    ["<|begin_of_box|>edema<|end_of_box|>", "edema"],
    ["<think>perhaps <answer>edema</answer>", "edema"],
    ["<thinking>the answer is no</thinking>edema", "edema"],
    ["◁think▷the answer is no◁/think▷edema", "edema"],
    ["<answer>edema</ans", "edema"],
    ['<answer type="final">edema</answer>', "edema"],
    ["&lt;answer&gt;edema&lt;/answer&gt;", "edema"],
    ["It is dark. Answer -> edema", "edema"],
    ["The answer must be edema. It is large.", "edema"],
    ["Answer: approx. 7 mm", "approx. 7 mm"],
    ["Answer: K. oxytoca", "K. oxytoca"],
    ["Answer: <7 mm. Done", "<7 mm"],
    ["Answer: right < left", "right < left"],
    ["Answer: a<b", "a<b"],
    ['```json\n{"reasoning": "It is dark.", "answer": "edema"}\n```', "edema"],
    ['{"answer": "edema"} Answer: mass', "mass"],
  ])("%j answers %j", (completion, expected) => {
    expect(textOf(completion, { lenient: true })).toBe(expected);
  });

  it.each([
    " \u200b\n",
    "<answer></answer>",
    "<think>x</think><answer></answer>",
    "<think>x</think>\n<answer>\u200b</answer>\n",
    "<think>x</think><answer>…</answer>",
    "<think>edema</think><answer><think></think></answer>",
    "<think>edema</think> \\boxed{}",
    "<answer><think></answer>",
    "<think>the answer is no</think><answer> </answer>",
    "It is dark. <answer>",
    "<answer></answer><answer></answer>",
  ])("gives null for nothing, or an answer that is empty: %j", (completion) => {
    expect(textOf(completion, { lenient: true })).toBeNull();
  });

  it.each([
    ["The answer is edema. <answer></answer>", "edema"],
    ["<think>first <answer></answer></think> Left lung", "Left lung"],
  ])("reads what is said beside an empty answer, or after it in a thought: %j", (completion, expected) => {
    expect(textOf(completion, { lenient: true })).toBe(expected);
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
    ["boxes", "\\boxed{".repeat(n)],
    ["texts in a box", `\\boxed{${"\\text{".repeat(n)}`],
    ["special tokens", "<|im_end|>".repeat(n)],
    ["headings", "answer\n".repeat(n)],
  ])("is linear in %s", (_, completion) => {
    const begin = cpuTime();
    for (const style of ["think_answer", "answer_only", "plain"] as const) {
      textOf(completion, { style });
      textOf(completion, { style, lenient: true });
    }
    expect(cpuTime() - begin).toBeLessThan(3000);
  });
});
