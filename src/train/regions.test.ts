import { expect, test } from "vitest";
import { regionsOf } from "./regions.ts";

test("boxes, outlines, masks and circles are found wherever they stand, others are passed over", () => {
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
      { finding: "tube", mask: { size: [4, 4], counts: "723OO" } },
      { finding: "wire", mask: { size: [4], counts: [1, 2] } },
    ],
    heart: { box: [0, 0, 9, 9] },
  };
  expect(regionsOf(facts)).toEqual([
    { image: 0, label: "nodule left", box: [10, 20, 30, 40] },
    { image: 1, label: "mass", polygon },
    { image: 0, label: "tube", mask: { size: [4, 4], counts: "723OO" } },
    { image: 0, label: "heart", box: [0, 0, 9, 9] },
  ]);
  const circle = { x: 0.5, y: 0.25, radius: 0.1, finding: "opacity" };
  const film = { modality: "x-ray", ...circle, findings: [circle] };
  expect(regionsOf(film, [{ width: 200, height: 100 }])).toEqual([
    { image: 0, label: "opacity", box: [80, 15, 120, 35] },
  ]);
  expect(regionsOf(undefined)).toEqual([]);
});
