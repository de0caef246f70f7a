import { expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { refuseTags } from "./tags-in-data.ts";

const example: Example = {
  ...{ id: "a", subjectId: "a", question: "?", images: [], answer: "yes", answerType: "open", choices: [], meta: {} },
};

it.each<[string, Partial<Example>]>([
  ["answer", { answer: "<answer> yes </answer>" }],
  ["answer", { answer: "no</ Answer >" }],
  ["option", { choices: ["yes", "<think>no"] }],
  ["rationale", { rationale: "First. </think> Second." }],
])("an %s with a tag is refused where the prompt has tags", (what, changes) => {
  const asked = { ...example, ...changes };
  for (const style of ["think_answer", "answer_only"] as const) {
    expect(() => refuseTags(asked, style)).toThrow(new RegExp(`^its ${what} contains "<.*", which the prompt's style`));
  }
  expect(() => refuseTags(asked, "plain")).not.toThrow();
});

it.each(["yes<|im_end|>", "</s>", "no <end_of_turn>"])(
  "a chat template's token is refused in every style: %j",
  (answer) => {
    for (const style of ["think_answer", "plain"] as const) {
      expect(() => refuseTags({ ...example, answer }, style)).toThrow(/which chat templates write/);
    }
  },
);

it("other texts stay", () => {
  const asked = { ...example, answer: "the answer > 5", question: "in <answer> tags", rationale: "I think <5 mm>." };
  expect(() => refuseTags(asked, "think_answer")).not.toThrow();
});
