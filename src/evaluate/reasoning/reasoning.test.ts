/** Facts restated, options ruled out and behaviours, on texts by hand. */
import { describe, expect, test } from "vitest";
import type { Example } from "../../core/records.ts";
import { openVocabulary } from "../../session/reward-services.ts";
import { behaviourPatterns, countOf } from "./behaviours.ts";
import { excludedOptions } from "./excluded-options.ts";
import { summariseReasoning } from "./index.ts";
import { restatedFacts } from "./restated-facts.ts";

const vocabulary = openVocabulary(null);
const film: Example = {
  ...{ id: "f", subjectId: "f", question: "Is there an effusion?", images: [], answer: "no", answerType: "closed" },
  ...{ choices: [], meta: {} },
  facts: { modality: "x-ray", plane: "frontal", organ: "chest", findings: [{ finding: "opacity", side: "left" }] },
};
const choice: Example = {
  ...{ id: "c", subjectId: "c", question: "What is it?", images: [], answer: "nodule", answerType: "choice" },
  ...{ choices: ["nodule", "mass", "cyst"], answerIndex: 0, meta: {} },
};

describe("restated facts", () => {
  test("count what the image bears out and what the question names, once each, per 100 words", () => {
    // An opacity, and the question's effusion: two facts in eight words.
    expect(restatedFacts(film, "There is an opacity. An effusion? Unclear here.", vocabulary)).toBeCloseTo(25, 9);
    const once = restatedFacts(film, "There is an opacity.", vocabulary)!;
    expect(restatedFacts(film, "There is an opacity. There is an opacity.", vocabulary)).toBeCloseTo(once / 2, 9);
    expect(restatedFacts(film, "There is a nodule.", vocabulary)).toBe(0);
    expect(restatedFacts(film, " . ", vocabulary)).toBe(null);
  });
});

describe("excluded options", () => {
  test("count wrong options in sentences that deny them", () => {
    expect(excludedOptions(choice, "It is a nodule.")).toBe(0);
    expect(excludedOptions(choice, "It is not a mass. It is a nodule.")).toBe(0.5);
    expect(excludedOptions(choice, "A mass is excluded. It cannot be a cyst. So it is a nodule.")).toBe(1);
    expect(excludedOptions(choice, "It is not a nodule.")).toBe(0); // the right one is none to exclude
    expect(excludedOptions(film, "no effusion")).toBe(null);
  });
});

test.each([
  ["verification", "Let me check whether it is left.", 1],
  ["backtracking", "Wait, that is not right.", 2],
  ["sub_goals", "First, the modality. Then, the side.", 2],
  ["backward_chaining", "This is consistent with pneumonia, which would explain the opacity.", 2],
  ["backward_chaining", "There is an opacity on the left.", 0],
] as const)("%s in %j", (name, text, count) => {
  expect(countOf(text, behaviourPatterns[name])).toBe(count);
});

test("the summary is of completions that reason, and absent without any", () => {
  const o = { style: "think_answer", vocabulary } as const;
  const texts = [
    "<think>There is an opacity. Wait, no effusion.</think><answer>no</answer>",
    "<answer>nodule</answer>",
  ];
  expect(summariseReasoning([film, choice], texts, o)).toMatchObject({
    rationales: 1,
    restated_facts: { n: 1 },
    excluded_options: null,
    behaviours: { backtracking: { estimate: 1 }, verification: { estimate: 0 } },
  });
  expect(summariseReasoning([choice], ["<answer>nodule</answer>"], o)).toBe(null);
});
