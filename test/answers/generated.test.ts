import { describe, expect, it } from "vitest";
import { followsStyle } from "../../src/answers/tags.ts";
import type { Example } from "../../src/core/records.ts";
import { protocols, type Verdict } from "../../src/evaluate/protocols/index.ts";
import { type GeneratedAnswer, generate, type Truth } from "./generated.ts";

const answers = [1, 2].flatMap((seed) => generate(70, seed));

const exampleOf = ({ question }: GeneratedAnswer): Example => {
  return { id: "1", subjectId: "1", question: "?", images: [], meta: {}, ...question };
};
const readAs = ({ correct, parseFailure }: Verdict): Truth => (parseFailure ? "none" : correct ? "right" : "wrong");
const show = (one: GeneratedAnswer, read: Truth) =>
  `${one.rule}: ${JSON.stringify(one.completion)} for "${one.question.answer}" of [${one.question.choices.join(" | ")}] is ${read}`;

describe("generated answers", () => {
  const read = answers.map((one) => ({
    one,
    strict: readAs(protocols.viva.strict(exampleOf(one), one.completion, one.style)),
    lenient: readAs(protocols.viva.lenient(exampleOf(one), one.completion, one.style)),
  }));

  it("are at least two thousand, of every truth", () => {
    expect(answers.length).toBeGreaterThanOrEqual(2000);
    for (const truth of ["right", "wrong", "none"] as const) {
      expect(answers.filter(({ strict }) => strict === truth).length).toBeGreaterThan(300);
    }
  });

  it.each(["strict", "lenient"] as const)(
    "%s: never take what is right for wrong, nor what is not for right",
    (reading) => {
      const confused = read.filter(({ one, [reading]: given }) => {
        const truth = one[reading];
        if (truth === "right") return given === "wrong" || (one.plain && given === "none");
        if (truth === "wrong")
          return given === "right" || (one.plain && given === "none" && one.question.answerType !== "open");
        return reading === "strict" ? given !== "none" : given === "right";
      });
      expect(confused.map(({ one, [reading]: given }) => show(one, given))).toEqual([]);
    },
  );

  it("leave few answers unread that a person would read", () => {
    const readable = read.filter(({ one }) => one.strict !== "none");
    const unread = readable.filter(({ strict }) => strict === "none");
    expect(unread.length / readable.length).toBeLessThan(0.03);
  });

  it("no empty answer keeps the form", () => {
    for (const { completion } of answers.filter(({ rule }) => rule === "empty")) {
      expect(followsStyle(completion, "think_answer"), completion).toBe(false);
    }
  });
});
