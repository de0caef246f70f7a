import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadDataset } from "../../data/index.ts";
import { readJson } from "../../io/files.ts";
import { parseVocabulary } from "../concepts/vocabulary.ts";
import { checkClaims, claimText, verdictOf } from "./check.ts";
import { readFacts } from "./facts.ts";
import { negateClaim } from "./negate.ts";

const file = fileURLToPath(new URL("../../../assets/vocabulary.json", import.meta.url));
const vocabulary = parseVocabulary(readJson(file, "vocabulary"), file);
const facts = readFacts({
  modality: "x-ray",
  plane: "frontal",
  organ: "chest",
  findings: [{ finding: "nodule", side: "left", place: "upper zone" }, { finding: "cardiomegaly" }],
})!;
const negate = (text: string, about?: readonly string[]) =>
  negateClaim(text, (claim) => verdictOf(claim, facts), vocabulary, new Set(about))?.text ?? null;

describe("negateClaim", () => {
  test.each([
    ["There is a nodule in the left lung.", "There is a nodule in the right lung."],
    ["There is no pleural effusion.", "There is a pleural effusion."],
    ["There is cardiomegaly.", "There is no cardiomegaly."],
    ["There is a nodule.", "There is no nodule."],
    ["The lungs are without pneumothorax.", "The lungs are with pneumothorax."],
    ["This is a frontal radiograph of the chest.", "This is not a frontal radiograph of the chest."],
    ["The heart is enlarged. The film is dark.", "The heart is not enlarged. The film is dark."],
    ["There is a nodule in the right lung.", null], // its side is false, and "no nodule in the right lung" would be true
    ["There is a pneumothorax.", null], // false already
    ["The film is dark.", null],
  ])("%s -> %s", (text, wanted) => expect(negate(text)).toBe(wanted));

  test("takes the claim that the question is about, else the last one", () => {
    const text = "There is a nodule in the left lung. There is cardiomegaly.";
    expect(negate(text)).toBe("There is a nodule in the left lung. There is no cardiomegaly.");
    expect(negate(text, ["nodule"])).toBe("There is a nodule in the right lung. There is cardiomegaly.");
  });

  test("makes one sentence of nearly every generated rationale false, and changes no other", async () => {
    const examples = await loadDataset({ name: "phantom_world", split: "test", limit: 260, seed: 11 });
    let changed = 0;
    for (const example of examples) {
      const known = readFacts(example.facts)!;
      const text = example.rationale!;
      const found = negateClaim(text, (claim) => verdictOf(claim, known), vocabulary);
      if (found === null) continue;
      changed++;
      const checked = checkClaims(found.text, known, vocabulary);
      expect(checked.some(({ verdict }) => verdict === false)).toBe(true);
      expect(checked.map(({ claim }) => claimText(claim))).not.toContain(claimText(found.claim));
      const [before, after] = [text.split(". "), found.text.split(". ")];
      expect(after.filter((sentence, i) => sentence !== before[i])).toHaveLength(1);
    }
    expect(changed).toBeGreaterThan(250);
  });
});
