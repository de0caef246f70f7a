import { expect, test } from "vitest";
import { regionsOf } from "./regions.ts";

test("boxes and outlines are found wherever they stand, others are passed over", () => {
  const polygon = [
    [1, 2],
    [3, 4],
    [5, 1],
  ];
  const facts = {
    modality: "x-ray",
    findings: [
      { finding: "nodule", side: "left", box: [10, 20, 30, 40] },
      { finding: "effusion", box: [1, 2, 3] },
      { finding: "mass", image: 2, polygon },
    ],
    heart: { box: [0, 0, 9, 9] },
  };
  expect(regionsOf(facts)).toEqual([
    { image: 0, label: "nodule left", box: [10, 20, 30, 40] },
    { image: 1, label: "mass", polygon },
    { image: 0, label: "heart", box: [0, 0, 9, 9] },
  ]);
  expect(regionsOf(undefined)).toEqual([]);
});
