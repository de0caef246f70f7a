import { describe, expect, it } from "vitest";
import type { Completion, Example } from "../core/records.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { facts } from "./facts.ts";

const example: Example = {
  id: "e",
  subjectId: "s",
  question: "Where is the nodule?",
  images: [],
  answer: "left upper zone",
  answerType: "open",
  choices: [],
  facts: { modality: "x-ray", organ: "chest", findings: [{ finding: "nodule", side: "left", place: "upper zone" }] },
  meta: {},
};

function completion(text: string): Completion {
  return { tokenIds: new Int32Array(3), logProbs: new Float32Array(3), text, finishReason: "stop", policyVersion: 0 };
}

const reward = facts({}, { vocabulary: openVocabulary(null) });
const think = (text: string) => completion(`<think>${text}</think><answer>left</answer>`);

describe("facts", () => {
  it.each([
    ["There is a nodule in the left upper zone.", 1],
    ["There is a nodule in the right upper zone.", -1 / 3],
    ["There is a nodule in the left upper zone. There is no effusion. The heart is enlarged.", 3 / 5],
    ["There is a left effusion.", -1],
    // Said twice, counted once.
    ["There is a nodule. There is a nodule. There is an effusion.", 0],
    ["I look at it carefully.", 0],
    ["", 0],
  ])("%j earns %d", async (text, expected) => {
    const [score] = await reward.score(example, [think(text)]);
    expect(score).toBeCloseTo(expected);
  });

  it("reads the reasoning alone", async () => {
    const scores = await reward.score(example, [completion("<think>A nodule.</think><answer>right effusion</answer>")]);
    expect(scores).toEqual([1]);
  });

  it("is null without facts, or with facts of another form", async () => {
    const { facts: _, ...bare } = example;
    for (const other of [bare, { ...bare, facts: { finding: "none" } }]) {
      expect(await reward.score(other, [think("A nodule.")])).toEqual([null]);
      expect(reward.evidence!(other, [think("A nodule.")])).toEqual([[]]);
    }
  });

  it("shows the words of each claim and whether they are true", () => {
    const one = think("The nodule is on the right, and an MRI was done.");
    const shown = reward.evidence!(example, [one])[0]!.map(({ start, end, label, verdict }) => {
      return [one.text.slice(start, end), label, verdict];
    });
    expect(shown).toEqual([
      ["MRI", "modality", false],
      ["nodule", "finding", true],
      ["nodule", "side", false],
    ]);
  });

  it("needs a vocabulary, and says so", () => {
    expect(() => facts()).toThrow('reward "facts": needs a vocabulary');
  });
});
