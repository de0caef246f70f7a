import { describe, expect, test } from "vitest";
import { float32 } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { WeightStore } from "./weight-store.ts";

const optimiser = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5, maxGradNorm: 0 };

function store(trainable = ["matrix", "vector"]): WeightStore {
  const values = { matrix: float32([1, 2], [1, -1]), vector: float32([2], [1, -1]), frozen: float32([1], [7]) };
  return new WeightStore({} as Model, values, new Set(trainable));
}

describe("accumulate", () => {
  test("accumulates in the first array, leaves the others unchanged, and ignores frozen weights", () => {
    const own = store();
    const second = float32([1, 2], [10, 2]);
    own.accumulate({ matrix: float32([1, 2], [1, 2]) });
    own.accumulate({ matrix: second });
    expect([...second.data]).toEqual([10, 2]);
    own.accumulate({ frozen: float32([1], [3]) });
    expect([...own.gradient("matrix")!]).toEqual([11, 4]);
    expect(own.gradient("vector")).toBeNull();
    expect(own.gradient("frozen")).toBeNull();
  });
});

describe("accumulateRows", () => {
  test("scatter-adds rows: repeated indices add up, −1 is skipped", () => {
    const values = { table: float32([3, 2], [0, 0, 0, 0, 0, 0]), frozen: float32([1, 1], [0]) };
    const own = new WeightStore({} as Model, values, new Set(["table"]));
    own.accumulateRows("table", Int32Array.of(2, -1, 0, 2), float32([4, 2], [1, 2, 100, 100, 3, 4, 10, 20]));
    expect([...own.gradient("table")!]).toEqual([3, 4, 0, 0, 11, 22]);
    own.accumulate({ table: float32([3, 2], [1, 1, 1, 1, 1, 1]) });
    own.accumulateRows("table", Int32Array.of(1), float32([1, 2], [5, 5]));
    expect([...own.gradient("table")!]).toEqual([4, 5, 6, 6, 12, 23]);
    own.accumulateRows("frozen", Int32Array.of(0), float32([1, 1], [1]));
    expect(own.gradient("frozen")).toBeNull();
  });
});

describe("step", () => {
  test("decays matrices only, and clears the gradients", async () => {
    const own = store();
    own.accumulate({ matrix: float32([1, 2], [0, 0]) });
    own.accumulate({ vector: float32([2], [0, 0]) });
    expect((await own.step(optimiser)).gradNorm).toBe(0);
    expect([...own.values["matrix"]!.data]).toEqual([Math.fround(0.95), Math.fround(-0.95)]);
    expect([...own.values["vector"]!.data]).toEqual([1, -1]);
    expect(own.gradient("matrix")).toBeNull();
  });

  test("reports the norm before clipping, and scales all gradients by one factor", async () => {
    const [clipped, free] = [store(), store()];
    clipped.accumulate({ matrix: float32([1, 2], [3, 0]) });
    clipped.accumulate({ vector: float32([2], [0, 4]) });
    expect((await clipped.step({ ...optimiser, maxGradNorm: 1 })).gradNorm).toBe(5);
    free.accumulate({ matrix: float32([1, 2], [0.6, 0]) });
    free.accumulate({ vector: float32([2], [0, 0.8]) });
    await free.step(optimiser);
    for (const name of ["matrix", "vector"]) {
      for (const [i, m] of clipped.moments(name).first.data.entries()) {
        expect(m).toBeCloseTo(free.moments(name).first.data[i]!, 6);
      }
    }
  });

  test("a NaN gradient changes no weight or moment, does not count as a step and is cleared", async () => {
    const own = store();
    own.accumulate({ matrix: float32([1, 2], [Number.NaN, 1]) });
    own.accumulate({ vector: float32([2], [1, 1]) });
    expect((await own.step(optimiser)).gradNorm).toBeNaN();
    expect([...own.values["vector"]!.data]).toEqual([1, -1]);
    expect(own.optimizer).toEqual({ steps: 0, names: [], masked: [] });
    expect(own.gradient("vector")).toBeNull();
  });

  test("a weight without a gradient is unchanged and gets no moments", async () => {
    const own = store();
    own.accumulate({ vector: float32([2], [1, 1]) });
    await own.step(optimiser);
    expect([...own.values["matrix"]!.data]).toEqual([1, -1]);
    expect(own.optimizer).toEqual({ steps: 1, names: ["vector"], masked: [] });
    own.restoreOptimizer(0);
    expect(own.optimizer).toEqual({ steps: 0, names: [], masked: [] });
  });

  test("under a mask adds up the clipped gradients, keeps where weights began, and forgets both for a new stage", async () => {
    const own = store();
    const o = { ...optimiser, maxGradNorm: 1, importanceMasking: "spider" } as const;
    for (let step = 0; step < 2; step++) {
      own.accumulate({ matrix: float32([1, 2], [3, 0]) });
      own.accumulate({ vector: float32([2], [0, 4]) });
      await own.step(o);
    }
    expect([...own.mask("matrix").total].map((value) => value.toFixed(4))).toEqual(["1.2000", "0.0000"]);
    expect([...own.mask("vector").total].map((value) => value.toFixed(4))).toEqual(["0.0000", "1.6000"]);
    expect([...own.mask("matrix").start]).toEqual([1, -1]);
    expect(own.optimizer.masked).toEqual(["matrix", "vector"]);
    own.restoreOptimizer(0);
    expect(own.optimizer.masked).toEqual([]);
    expect([...own.mask("matrix").start]).toEqual([...own.values["matrix"]!.data]);
  });
});

test("copyValues is a copy", () => {
  const own = store();
  const copy = own.copyValues();
  own.values["vector"]!.data[0] = 5;
  expect(copy["vector"]!.data[0]).toBe(1);
});
