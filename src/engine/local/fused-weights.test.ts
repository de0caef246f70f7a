import { expect, test } from "vitest";
import { float32 } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { fusedValues, fusedWeightsOf, inContiguousMemory } from "./fused-weights.ts";

/** A model of one block, whose layers a and b read the same 2 features. */
function modelOf(weights: Record<string, { shape: readonly number[]; quantized?: 8 }>): Model {
  const language = { depth: 1, blockPrefix: () => "block.", fusedProjections: [["a", "b"]] };
  return { language, weights } as unknown as Model;
}

const alike = modelOf({
  "block.a.weight": { shape: [1, 2] },
  "block.a.bias": { shape: [1] },
  "block.b.weight": { shape: [2, 2] },
  "block.b.bias": { shape: [2] },
});
const values = {
  "block.b.weight": float32([2, 2], [3, 4, 5, 6]),
  "block.a.bias": float32([1], [10]),
  "block.a.weight": float32([1, 2], [1, 2]),
  "block.b.bias": float32([2], [20, 30]),
};

test("adjacent fused weights are read in place, so that a program sees updates", () => {
  const contiguous = inContiguousMemory(alike, values);
  expect(contiguous).toEqual(values);
  const joined = fusedValues(alike, contiguous);
  expect(joined).toEqual({
    "block.a+b.weight": float32([3, 2], [1, 2, 3, 4, 5, 6]),
    "block.a+b.bias": float32([3], [10, 20, 30]),
  });
  contiguous["block.b.weight"]!.data[0] = 9;
  expect([...joined["block.a+b.weight"]!.data]).toEqual([1, 2, 9, 4, 5, 6]);
});

test("fused weights that are not adjacent are copied", () => {
  const joined = fusedValues(alike, values);
  expect([...joined["block.a+b.weight"]!.data]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(joined["block.a+b.weight"]!.data.buffer).not.toBe(values["block.a.weight"].data.buffer);
});

test("without biases only the weights are fused; quantised layers, and layers of which only some have a bias, are not fused", () => {
  const [a, b] = [{ shape: [1, 2] }, { shape: [2, 2] }];
  const names = (weights: Parameters<typeof modelOf>[0]) => [...fusedWeightsOf(modelOf(weights), 0).keys()];
  expect(names({ "block.a.weight": a, "block.b.weight": b })).toEqual(["a+b.weight"]);
  expect(names({ "block.a.weight": a, "block.b.weight": b, "block.b.bias": { shape: [2] } })).toEqual([]);
  expect(names({ "block.a.weight": a, "block.b.weight": { ...b, quantized: 8 } })).toEqual([]);
});
