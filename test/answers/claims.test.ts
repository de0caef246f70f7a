/** Claim checking against labels given by hand, and against the reference reasoning of the phantoms. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkClaims, claimText, scoreFacts } from "../../src/answers/claims/check.ts";
import { readFacts } from "../../src/answers/claims/facts.ts";
import { parseVocabulary } from "../../src/answers/concepts/vocabulary.ts";
import { phantomExample } from "../../src/data/phantom/phantom.ts";
import { worldExample } from "../../src/data/phantom/world/world.ts";
import { type ClaimFile, claimAccuracy } from "./claim-accuracy.ts";

const root = join(import.meta.dirname, "../..");
const vocabulary = parseVocabulary(
  JSON.parse(readFileSync(join(root, "assets/vocabulary.json"), "utf8")),
  "vocabulary",
);
const labelled = JSON.parse(readFileSync(join(root, "test/golden/claims.json"), "utf8")) as ClaimFile;

describe("rationales labelled by hand", () => {
  it("are many, half of them held out, half of them wrong", () => {
    const { cases } = labelled;
    expect(cases.length).toBeGreaterThanOrEqual(200);
    expect(cases.filter(({ half }) => half === "held_out").length).toBeGreaterThanOrEqual(100);
    expect(cases.filter((one) => one.false.length > 0).length).toBeGreaterThanOrEqual(100);
  });

  it.each([
    ["tuning", 1, 0.995, 102],
    ["held_out", 0.975, 0.967, 92],
  ] as const)("%s: precision at least %d, recall at least %d, right at least %d", (half, precision, recall, right) => {
    const came = claimAccuracy(labelled, half, vocabulary);
    expect(came.precision).toBeGreaterThanOrEqual(precision);
    expect(came.recall).toBeGreaterThanOrEqual(recall);
    expect(came.right).toBeGreaterThanOrEqual(right);
  });
});

describe("the phantoms' own reasoning", () => {
  const world = Array.from({ length: 520 }, (_, i) => worldExample(6, "train", i, { difficulty: 0.8, imageSize: 112 }));
  const chest = Array.from({ length: 96 }, (_, i) => phantomExample(6, "train", i));

  it("holds to the last claim, and says what there is", () => {
    for (const { rationale, facts } of [...world, ...chest]) {
      const known = readFacts(facts)!;
      const checked = checkClaims(rationale!, known, vocabulary);
      const refuted = checked.filter(({ verdict }) => verdict !== true).map(({ claim }) => claimText(claim));
      expect(refuted, rationale).toEqual([]);
      const score = scoreFacts(checked, known);
      expect(score.precision, rationale).toBe(1);
      expect(score.hallucination ?? 0).toBe(0);
    }
    for (const { rationale, facts } of world) {
      const known = readFacts(facts)!;
      expect(scoreFacts(checkClaims(rationale!, known, vocabulary), known).recall, rationale).toBe(1);
    }
  });

  it("is refuted where its sides are exchanged", () => {
    const sided = world.filter(({ rationale }) => /\b(?:left|right)\b/.test(rationale!));
    let refuted = 0;
    for (const { rationale, facts } of sided) {
      const mirrored = rationale!.replace(/\b(?:left|right)\b/g, (side) => (side === "left" ? "right" : "left"));
      const known = readFacts(facts)!;
      if (scoreFacts(checkClaims(mirrored, known, vocabulary), known).wrong > 0) refuted++;
    }
    // Findings on both sides stay true when exchanged, unless one is larger or higher.
    expect(sided.length).toBeGreaterThan(200);
    expect(refuted / sided.length).toBeGreaterThan(0.95);
  });
});

it("counts invented findings, and what was left unsaid", () => {
  const facts = readFacts({
    modality: "x-ray",
    organ: "chest",
    findings: [{ finding: "nodule", side: "left", place: "upper zone" }, { finding: "cardiomegaly" }],
  })!;
  const checked = checkClaims("This radiograph shows a left nodule and a right effusion.", facts, vocabulary);
  // Said: the modality, the nodule and its side. Unsaid: chest, upper zone, cardiomegaly. Invented: the effusion and its side.
  expect(scoreFacts(checked, facts)).toEqual({
    claims: 5,
    right: 3,
    wrong: 2,
    precision: 3 / 5,
    recall: 3 / 6,
    asserted: 2,
    invented: 1,
    hallucination: 1 / 2,
  });
});
