import { expect, it } from "vitest";
import { phantomLessons } from "./lessons.ts";

const lessons = await phantomLessons.load({ split: "train", limit: 2600, seed: 5, own: { difficulty: 0.2 } });
const by = (annotator: string) => lessons.filter(({ meta }) => meta["annotator"] === annotator);
const sentences = (text = "") => text.split(/(?<=\.) /).length;

it("has a careful annotator, who says what the image shows, and a hasty one, who names the image", () => {
  const hasty = by("hasty");
  expect(hasty.length / lessons.length).toBeGreaterThan(0.57);
  expect(hasty.length / lessons.length).toBeLessThan(0.63);
  expect(hasty.every(({ rationale }) => sentences(rationale) === 1)).toBe(true);
  expect(by("careful").every(({ rationale }) => sentences(rationale) > 1)).toBe(true);
});

it("lets the hasty annotator guess what a glance does not show", () => {
  const sides = by("hasty").filter(({ meta }) => meta["question_type"] === "side");
  const right = sides.filter(({ answer, facts }) => {
    const findings = facts!["findings"] as readonly { readonly side?: string }[];
    return findings.some(({ side }) => side === answer);
  });
  expect(right.length / sides.length).toBeGreaterThan(0.35);
  expect(right.length / sides.length).toBeLessThan(0.75);
  for (const { answer, facts, meta } of by("hasty")) {
    if (meta["question_type"] === "modality") expect(answer).toBe(facts!["modality"]);
  }
});
