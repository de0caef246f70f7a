import { describe, expect, test } from "vitest";
import { float32, int32, type TensorData, tensorData } from "../core/tensor-data.ts";
import { bindSizes, concreteShape, interpret } from "./interpret.ts";
import {
  add,
  argmax,
  broadcastTo,
  gather,
  max,
  mul,
  reshape,
  scatterAdd,
  takeAlongLastAxis,
  zerosLike,
} from "./ops/index.ts";
import { constant, input, scalar, type Tensor } from "./tensor.ts";

const rows = input("rows", "float32", ["n", 2]);
const weights = input("weights", "float32", ["n"]);
const index = input("index", "int32", ["m"]);

const run = (t: Tensor, feeds: Record<string, TensorData>, precision: "float32" | "float64" = "float32") =>
  interpret({ inputs: { rows, weights, index }, outputs: { t } }, feeds, { precision }).t!;

describe("interpret", () => {
  test("an input that was not fed", () => {
    expect(() => run(add(rows, rows), {})).toThrow('interpret: input "rows" was not fed');
  });

  test("inputs that the outputs do not need may be left out or fed", () => {
    const feeds = { rows: float32([1, 2], [1, 2]) };
    expect(run(rows, feeds)).toEqual(float32([1, 2], [1, 2]));
    expect(run(rows, { ...feeds, weights: float32([1], [9]), other: float32([], [1]) }).data).toEqual(feeds.rows.data);
  });

  test("a fed shape that does not fit", () => {
    expect(() => run(rows, { rows: float32([1, 3], [1, 2, 3]) })).toThrow("rows: expected shape [n, 2], got [1, 3]");
    expect(() => run(rows, { rows: float32([2], [1, 2]) })).toThrow("rows: expected shape [n, 2], got [2]");
  });

  test("one name with two sizes", () => {
    const feeds = { rows: float32([1, 2], [1, 2]), weights: float32([3], [1, 2, 3]) };
    expect(() => run(rows, feeds)).toThrow("weights: expected shape [n], got [3] (n = 1)");
  });

  test("a size that no input has", () => {
    expect(() => run(broadcastTo(scalar(0), ["k"]), {})).toThrow('internal: the size "k" is not known');
  });

  test("a named size found by reshape must agree with what is known of it", () => {
    const feeds = { rows: float32([3, 2], [1, 2, 3, 4, 5, 6]), index: int32([2], [0, 0]) };
    expect(run(reshape(rows, ["m", 3]), feeds).shape).toEqual([2, 3]);
    expect(() => run(reshape(rows, ["m", 2]), feeds)).toThrow("reshape: cannot view [3, 2] as [2, 2]");
    expect(() => run(reshape(rows, ["k", 4]), feeds)).toThrow("reshape: cannot view [3, 2] as [1.5, 4]");
    expect(() => run(reshape(rows, ["j", "k"]), feeds)).toThrow("reshape: at most one new symbolic size, got [j, k]");
  });

  test("indices outside the table", () => {
    const values = input("values", "float32", ["m"]);
    const vectors = input("vectors", "float32", ["m", 1]);
    for (const i of [-1, 1]) {
      const feeds = { values: float32([1], [5]), vectors: float32([1, 1], [5]), index: int32([1], [i]) };
      const at = (t: Tensor) => () => interpret({ inputs: { values, vectors, index }, outputs: { t } }, feeds);
      expect(at(gather(values, index))).toThrow(`gather: index ${i} is not in [0, 1)`);
      expect(at(scatterAdd(index, values, [1]))).toThrow(`scatterAdd: index ${i} is not in [0, 1)`);
      expect(at(takeAlongLastAxis(vectors, index))).toThrow(`takeAlongLastAxis: index ${i} is not in [0, 1)`);
    }
  });

  test("the index of a maximum of nothing", () => {
    const empty = constant(float32([2, 0], []));
    expect(() => run(argmax(empty), {})).toThrow("argmax: the last axis of [2, 0] has no elements");
    expect(run(max(empty), {})).toEqual(float32([2, 1], [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]));
  });

  test("float64 widens inputs and constants and leaves the rest", () => {
    const third = 1 / 3;
    const feeds = { rows: float32([1, 2], [third, 1]), index: int32([1], [1]) };
    const squared = run(mul(rows, scalar(third)), feeds, "float64");
    expect(squared.data).toEqual(Float64Array.of(Math.fround(third) ** 2, Math.fround(third)));
    expect(run(zerosLike(rows), feeds, "float64").dtype).toBe("float64");
    expect(run(index, feeds, "float64")).toBe(feeds.index);
    const exact = tensorData("float64", [1, 2], Float64Array.of(third, 1));
    expect(run(mul(rows, rows), { rows: exact }, "float64").data).toEqual(Float64Array.of(third ** 2, 1));
  });
});

describe("bindSizes and concreteShape", () => {
  test("names are recorded once and then checked", () => {
    const sizes: Record<string, number> = {};
    bindSizes("a", ["n", 2, "n"], [3, 2, 3], sizes);
    expect(sizes).toEqual({ n: 3 });
    expect(concreteShape([1, "n"], sizes)).toEqual([1, 3]);
    expect(() => bindSizes("b", ["n"], [0], sizes)).toThrow("b: expected shape [n], got [0] (n = 3)");
    expect(() => concreteShape(["m"], sizes)).toThrow('internal: the size "m" is not known');
  });
});
