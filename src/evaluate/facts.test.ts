import { describe, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { factScore, summariseScores } from "./facts.ts";

const example: Example = {
  id: "e",
  subjectId: "s",
  question: "Where is the nodule?",
  images: [],
  answer: "left upper zone",
  answerType: "open",
  choices: [],
  // Five facts: the modality, the organ, the finding, its side and its location.
  facts: { modality: "x-ray", organ: "chest", findings: [{ finding: "nodule", side: "left", place: "upper zone" }] },
  meta: {},
};
const { facts: _, ...bare } = example;
const o = { style: "think_answer", vocabulary: openVocabulary(null) } as const;
const think = (text: string) => `<think>${text}</think><answer>left</answer>`;

const summarise = (examples: readonly Example[], texts: readonly string[]) =>
  summariseScores(
    examples,
    examples.map((own, i) => factScore(own, texts[i]!, o)),
  );

describe("summariseScores", () => {
  it("precision, recall and hallucination rate match a count by hand", () => {
    const texts = [
      think("There is a nodule in the left upper zone. There is a nodule in the left upper zone."),
      think("There is an effusion. There is a nodule."),
      think("I look at it."),
      "There is an effusion.",
    ];
    const examples = ["s1", "s2", "s3", "s4"].map((subjectId, i) => (i === 3 ? bare : { ...example, subjectId }));
    const summary = summarise(examples, texts)!;
    expect(factScore(example, texts[0]!, o)).toMatchObject({ right: 3, wrong: 0, precision: 1, recall: 3 / 5 });
    expect(factScore(example, texts[1]!, o)).toMatchObject({ right: 1, wrong: 1, recall: 1 / 5, hallucination: 0.5 });
    expect(summary).toMatchObject({ completions: 3, right: 4, wrong: 1 });
    expect(summary.precision).toMatchObject({ estimate: 0.75, n: 2 });
    expect(summary.recall!.estimate).toBeCloseTo((3 / 5 + 1 / 5 + 0) / 3, 12);
    expect(summary.hallucination_rate).toMatchObject({ estimate: 0.25, n: 2 });
  });

  it("returns null without facts, and no precision without claims", () => {
    expect(summarise([bare], [think("A nodule.")])).toBeNull();
    expect(summarise([example], [""])).toMatchObject({ claims: 0, precision: null, recall: { estimate: 0 } });
  });
});
