import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { AnswerType, Example } from "../../core/records.ts";
import { findProtocol, protocols, type Verdict } from "./index.ts";
import { similarity } from "./similarity.ts";

interface Case {
  readonly answer_type: AnswerType;
  readonly answer: string;
  readonly choices: readonly string[];
  readonly completion: string;
  readonly viva: { readonly plain: string; readonly tagged: string; readonly lenient: string };
}

const golden = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/golden/protocols/${name}.json`, import.meta.url), "utf8"));
const cases: readonly Case[] = golden("cases");
const { verdicts, similarity: pairs } = golden("verdicts") as {
  readonly verdicts: readonly Readonly<Record<string, boolean | "random">>[];
  readonly similarity: readonly (readonly [string, string, number])[];
};

const exampleOf = ({ answer, answer_type, choices }: Case): Example => {
  return { id: "1", subjectId: "1", question: "?", images: [], answer, answerType: answer_type, choices, meta: {} };
};
const spell = ({ correct, parseFailure }: Verdict) => (parseFailure ? "failed" : correct ? "right" : "wrong");

describe("protocols", () => {
  it("are judged on at least a hundred answers of every kind", () => {
    expect(cases.length).toBeGreaterThanOrEqual(150);
    expect(verdicts).toHaveLength(cases.length);
    expect(new Set(cases.map(({ answer_type }) => answer_type))).toEqual(new Set(["closed", "open", "choice"]));
  });

  it("viva reads every answer as it was read by hand", () => {
    const { viva } = protocols;
    const read = cases.map((one) => ({
      plain: spell(viva.strict(exampleOf(one), one.completion, "plain")),
      tagged: spell(viva.strict(exampleOf(one), one.completion, "answer_only")),
      lenient: spell(viva.lenient(exampleOf(one), one.completion, "plain")),
    }));
    expect(read).toEqual(cases.map((one) => one.viva));
  });

  it.each(["medevalkit", "lmms", "medvlthinker"] as const)("%s, lenient, gives the tool's own verdicts", (name) => {
    const differing = cases.flatMap((one, i) => {
      const given = protocols[name].lenient(exampleOf(one), one.completion, "plain");
      const wanted = verdicts[i]![name]!;
      const agrees = wanted === "random" ? given.parseFailure : given.correct === wanted;
      return agrees ? [] : [`${one.completion} for ${one.answer}: ${spell(given)}, the tool ${wanted}`];
    });
    expect(differing).toEqual([]);
  });

  it("the strict readings correct what is documented", () => {
    const strict = (name: keyof typeof protocols, type: AnswerType, answer: string, completion: string) => {
      const choices = type === "choice" ? ["left lung", "right lung"] : [];
      const one = { answer_type: type, answer, choices, completion, viva: cases[0]!.viva };
      return spell(protocols[name].strict(exampleOf(one), completion, "plain"));
    };
    expect(strict("medevalkit", "closed", "no", "abnormal")).toBe("failed"); // "no" within a word
    expect(strict("medevalkit", "closed", "yes", "Yes, the heart is normal")).toBe("right");
    expect(strict("medevalkit", "open", "right lung", "The answer is right lung")).toBe("right"); // the blank before it
    expect(strict("medevalkit", "choice", "right lung", "right")).toBe("failed"); // no guess by similarity
    expect(strict("medevalkit", "choice", "left lung", "")).toBe("failed"); // the tool guesses A
    expect(strict("lmms", "choice", "right lung", "A or B")).toBe("failed");
    expect(strict("lmms", "open", "CD4-", "CD4+")).toBe("wrong"); // the tool drops signs
    expect(strict("lmms", "open", "CD4-", "cd4-.")).toBe("right");
    expect(strict("lmms", "open", "x-ray", "X ray")).toBe("right");
    expect(strict("medvlthinker", "choice", "right lung", "The answer is B")).toBe("failed");
    expect(strict("medvlthinker", "choice", "right lung", "<answer>b. Right lung</answer>")).toBe("right");
  });

  it.each(Object.values(protocols))(
    "$name: a failure is never right, a span is its text, any text is judged",
    (protocol) => {
      const texts = [
        ...cases.map(({ completion }) => completion),
        "\\boxed{",
        "İ İ answer: B",
        "\u0000<answer>",
        "((((A".repeat(500),
      ];
      for (const text of texts) {
        for (const one of [cases[0]!, cases[58]!, cases[101]!]) {
          for (const reading of ["strict", "lenient"] as const) {
            const verdict = protocol[reading](exampleOf(one), text, "plain");
            expect(verdict.parseFailure && verdict.correct).toBe(false);
            if (verdict.answer !== null) {
              expect(text.slice(verdict.answer.start, verdict.answer.end)).toBe(verdict.answer.text);
            }
          }
        }
      }
    },
  );

  it("unknown names are answered with the nearest", () => {
    expect(() => findProtocol("medevalkt")).toThrow(/did you mean "medevalkit"/);
  });
});

describe("similarity", () => {
  it("equals Python's difflib, also where frequent signs are left out", () => {
    expect(pairs.some(([, b]) => b.length >= 200)).toBe(true);
    for (const [a, b, ratio] of pairs) expect(similarity(a, b)).toBeCloseTo(ratio, 12);
  });
});
