import { describe, expect, it } from "vitest";
import { checkClaims } from "../../../answers/claims/check.ts";
import { readFacts } from "../../../answers/claims/facts.ts";

import { openVocabulary } from "../../../session/reward-services.ts";
import { phantomReports } from "./reports.ts";
import { phantomWorld } from "./world.ts";

const options = { split: "train", limit: 400, seed: 3, own: { difficulty: 0.2 } };

describe("phantom_reports", async () => {
  const texts = await phantomReports.load(options);
  const pages = texts.filter(({ answer }) => answer.startsWith("Question:"));
  const reports = texts.filter(({ answer }) => answer.includes("Impression:"));

  it("is mostly reports, with a tenth of teaching-file pages", () => {
    expect(reports.length + pages.length).toBe(400);
    expect(pages.length).toBeGreaterThan(20);
    expect(pages.length).toBeLessThan(60);
    expect(texts.every(({ question, choices }) => question === "" && choices.length === 0)).toBe(true);
  });

  it("states nothing that contradicts its image's facts", () => {
    const vocabulary = openVocabulary(null);
    for (const { answer, facts } of reports) {
      const statements = answer.slice(0, answer.indexOf(" Impression:"));
      const checked = checkClaims(statements, readFacts(facts)!, vocabulary);
      expect(checked.length, answer).toBeGreaterThan(1);
      expect(
        checked.filter(({ verdict }) => verdict === false),
        answer,
      ).toEqual([]);
    }
  });

  it("shares no image with the questions of the same seed", async () => {
    const asked = await phantomWorld.load(options);
    const pixels = (list: typeof asked) =>
      list.map(({ images }) => Buffer.from(images[0]!.pixels!.data).toString("base64"));
    const seen = new Set(pixels(asked));
    expect(pixels(texts).some((image) => seen.has(image))).toBe(false);
  });
});
