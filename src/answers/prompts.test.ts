import { describe, expect, test } from "vitest";
import { UserError } from "../core/errors.ts";
import type { EncodeOptions, Processor } from "../core/processor.ts";
import type { Example, Message } from "../core/records.ts";
import { parseAnswer } from "./parse.ts";
import { encodeQuestion, opensThought, promptStyle, targetText } from "./prompts.ts";
import { followsStyle } from "./tags.ts";

const example: Example = {
  id: "one",
  subjectId: "one",
  question: "Which lung?",
  images: [{ path: "film.png" }],
  answer: "left",
  answerType: "open",
  choices: [],
  rationale: "The left lung is dense.",
  meta: {},
};

describe("targetText", () => {
  test("teaches the letter of the right option, also where options differ in a sign alone", () => {
    const choices = ["PR+", "PR-"];
    const question: Example = { ...example, answerType: "choice", choices, answer: "PR-", answerIndex: 1 };
    expect(targetText(question, "answer_only", "answer")).toBe("<answer>B. PR-</answer>");
    expect(targetText({ ...question, choices: ["3", "three"], answer: "three" }, "plain", "answer")).toBe("B. three");
  });

  test("inside an opened thought the target goes on from there", () => {
    const target = targetText(example, "think_answer", "rationale_answer", true);
    expect(target).toBe("The left lung is dense.</think><answer>left</answer>");
    expect(targetText(example, "think_answer", "answer", true)).toBe("</think><answer>left</answer>");
    expect(targetText(example, "think_answer", "answer")).toBe("<think></think><answer>left</answer>");
    for (const [text, opened] of [
      [target, true],
      [targetText(example, "think_answer", "rationale_answer"), false],
    ] as const) {
      expect(followsStyle(text, "think_answer", opened)).toBe(true);
      expect(followsStyle(text, "think_answer", !opened)).toBe(false);
      expect(parseAnswer(text)?.text).toBe("left");
    }
  });

  test.each([undefined, "", "  \n"])(
    "a missing rationale (%j) is the data's fault, and says what to do",
    (rationale) => {
      const { rationale: _, ...rest } = example;
      const without = rationale === undefined ? rest : { ...rest, rationale };
      expect(() => targetText(without, "think_answer", "rationale_answer")).toThrow(UserError);
      expect(() => targetText(without, "plain", "rationale_answer")).toThrow(
        'example "one" has no rationale to teach: give the data one, or set the stage\'s target: answer',
      );
      expect(targetText(without, "plain", "answer")).toBe("left");
    },
  );
});

test("the base prompt is a transcript that ends in an opened thought; the others are chats", async () => {
  const asked: { readonly messages: readonly Message[]; readonly options: EncodeOptions }[] = [];
  const processor = {
    encode: async (messages: readonly Message[], options: EncodeOptions) => {
      asked.push({ messages, options });
      return { text: options.assistantPrefix, tokenIds: new Int32Array(0), images: [] };
    },
  } as unknown as Processor;
  const { text } = await encodeQuestion(processor, example, promptStyle("base"));
  expect(opensThought(text)).toBe(true);
  expect(asked[0]!.options.template).toBe("transcript");
  expect(asked[0]!.messages.map(({ role }) => role)).toEqual(["system", "user"]);
  for (const style of ["think_answer", "answer_only", "plain"] as const) {
    await encodeQuestion(processor, example, promptStyle(style));
    const about = { question: example.question, subjectId: example.subjectId };
    expect(asked.at(-1)!.options).toEqual({ template: "chat", assistantPrefix: "", about });
  }
});

test("opensThought sees a template's <think> with the line break after it, and no closed one", () => {
  expect(opensThought("<|im_start|>assistant\n<think>\n")).toBe(true);
  expect(opensThought("use <think> </think>.\nassistant\n")).toBe(false);
  expect(opensThought("<think></think>")).toBe(false);
});
