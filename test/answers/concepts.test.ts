/** Concept matching on hand-checked pairs, and what it must never confuse. `npx tsx scripts/concept-accuracy.ts` reports. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { polarity } from "../../src/answers/closed.ts";
import { findConcepts, withOneName } from "../../src/answers/concepts/find.ts";
import { assertedConcepts, compareConcepts } from "../../src/answers/concepts/match.ts";
import { parseVocabulary } from "../../src/answers/concepts/vocabulary.ts";
import { UserError } from "../../src/core/errors.ts";
import { type ConceptCase, conceptAccuracy } from "./concept-accuracy.ts";

const root = join(import.meta.dirname, "../..");
const file = JSON.parse(readFileSync(join(root, "assets/vocabulary.json"), "utf8"));
const vocabulary = parseVocabulary(file, "assets/vocabulary.json");
const cases = JSON.parse(readFileSync(join(root, "test/golden/concepts.json"), "utf8")) as readonly ConceptCase[];

describe("hand-checked sentence pairs", () => {
  it("are many, and half of them are held out", () => {
    expect(cases.length).toBeGreaterThanOrEqual(200);
    expect(cases.filter(({ half }) => half === "held_out")).toHaveLength(cases.length / 2);
  });

  it.each([
    ["tuning", 1, 1, 119],
    ["held_out", 1, 0.993, 117],
  ] as const)(
    "%s: precision at least %d, recall at least %d, right pairs at least %d",
    (half, precision, recall, matches) => {
      const came = conceptAccuracy(
        cases.filter((one) => one.half === half),
        vocabulary,
      );
      expect(came.precision).toBeGreaterThanOrEqual(precision);
      expect(came.recall).toBeGreaterThanOrEqual(recall);
      expect(came.matches).toBeGreaterThanOrEqual(matches);
    },
  );
});

const sentences = [
  "SIDE pleural effusion.",
  "There is a SIDE FINDING.",
  "FINDING on the SIDE.",
  "FINDING in the SIDE lung.",
  "SIDE lower lobe FINDING.",
  "The FINDING is SIDE-sided.",
  "The SIDE kidney shows a FINDING.",
  "In the SIDE hemisphere there is a FINDING.",
  "FINDING of the SIDE breast without edema.",
  "No edema, but a SIDE FINDING.",
  "FINDING (SIDE).",
];
const findings = ["mass", "nodule", "consolidation", "pneumothorax", "cyst", "hemorrhage", "infarct", "atelectasis"];
const filled = sentences.flatMap((sentence) => findings.map((finding) => sentence.replaceAll("FINDING", finding)));

describe("never confused", () => {
  it("left and right, in any of 88 sentences", () => {
    for (const sentence of filled) {
      const left = sentence.replaceAll("SIDE", "left");
      const right = sentence.replaceAll("SIDE", "right");
      expect(compareConcepts(left, right, vocabulary), left).toBe(0);
      expect(compareConcepts(left, left, vocabulary), left).toBe(1);
      expect(compareConcepts(left, sentence.replaceAll("SIDE", "bilateral"), vocabulary), left).not.toBe(1);
      expect(withOneName(left, vocabulary)).not.toBe(withOneName(right, vocabulary));
    }
  });

  it("there and not there", () => {
    for (const finding of findings) {
      const there = `There is a ${finding} on the left.`;
      for (const no of [
        `There is no ${finding} on the left.`,
        `A ${finding} is not seen on the left.`,
        `Left ${finding}: none.`,
      ]) {
        expect(compareConcepts(no, there, vocabulary) ?? 0, no).toBe(0);
        expect(withOneName(no, vocabulary)).not.toBe(withOneName(there, vocabulary));
      }
    }
  });

  it("yes and no, whatever finding stands beside them", () => {
    for (const finding of findings) {
      expect(polarity(`Yes, ${finding}`)).toBe("yes");
      expect(polarity(`No ${finding}`)).toBe("no");
      expect(polarity(withOneName(`No ${finding}`, vocabulary))).toBe("no");
    }
  });
});

describe("findConcepts", () => {
  it("points at the words of the text as it was written", () => {
    const text = "Le\u200bft  pleural\u00a0effusion\u200f; CXR: no ﬁbrosis.\nEnlarged heart";
    const found = findConcepts(text, vocabulary).map((m) => [text.slice(m.start, m.end), m.concept, m.assertion]);
    expect(found).toEqual([
      ["pleural\u00a0effusion\u200f", "pleural effusion", "present"],
      ["CXR", "chest", "present"],
      ["CXR", "x-ray", "present"],
      ["ﬁbrosis", "fibrosis", "absent"],
      ["Enlarged heart", "cardiomegaly", "present"],
    ]);
    expect(assertedConcepts(findConcepts(text, vocabulary))).toContain("pleural effusion@left");
  });
});

describe("the vocabulary that ships", () => {
  it("is small, and names its sources and their licences", () => {
    const bytes = readFileSync(join(root, "assets/vocabulary.json")).length;
    expect(bytes).toBeLessThan(1_000_000);
    expect(file.sources.map(({ licence }: { licence: string }) => licence)).toEqual([
      "Apache-2.0",
      "MIT",
      "Apache-2.0",
      "CC0-1.0",
      "CC-BY-4.0",
    ]);
    expect(new Set(vocabulary.concepts.map(({ category }) => category))).toEqual(
      new Set(["finding", "disease", "organ", "modality"]),
    );
  });

  it("can be replaced, and a wrong one is named", () => {
    const own = parseVocabulary(
      { format: "viva-vocabulary-1", concepts: { finding: { blob: ["spot"] } }, triggers: { before: ["no"] } },
      "own.json",
    );
    expect([...assertedConcepts(findConcepts("Spots on the left. No blob.", own))]).toEqual(["blob@left"]);
    const twice = {
      format: "viva-vocabulary-1",
      concepts: { finding: { blob: ["spot"], dot: ["spots"] } },
      triggers: {},
    };
    expect(() => parseVocabulary(twice, "own.json")).toThrow(
      'vocabulary own.json: "spots" belongs to "blob" and to "dot"',
    );
    expect(() => parseVocabulary({ format: "x" }, "own.json")).toThrow(UserError);
    expect(() => parseVocabulary([], "own.json")).toThrow(/^vocabulary own.json: /);
  });
});
