import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { grad } from "../compiler/grad.ts";
import { interpret } from "../compiler/interpret.ts";
import { tensorData } from "../core/tensor-data.ts";
import { contrastiveLoss } from "../nn/attachments/losses.ts";
import { adaptHead, headLoss } from "./meta-transfer.ts";

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe("the meta-transfer step", () => {
  it("adapts to separable rows, leaves the head at no steps, and has the gradient of central differences", () => {
    const rows = [
      [1, 0.2],
      [-1, 0.1],
    ];
    expect(adaptHead(rows, [1, 0], [0.3, -0.2], { steps: 0, rate: 1 })).toEqual([0.3, -0.2]);
    const head = adaptHead(rows, [1, 0], [0, 0], { steps: 50, rate: 1 });
    const { loss, gradients } = headLoss(head, rows, [1, 0]);
    expect(loss).toBeLessThan(0.1);
    const at = (by: number) => headLoss(head, [[1 + by, 0.2], rows[1]!], [1, 0]).loss;
    expect(gradients[0]![0]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 9);
  });

  interface Golden {
    readonly tau: number;
    readonly W: number[][];
    readonly head0: number[];
    readonly source: number[][];
    readonly target_train: [number[][], number[]];
    readonly target_val: [number[][], number[]];
    readonly alpha: number;
    readonly inner_lr: number;
    readonly inner_steps: number;
    readonly head_adapted: number[];
    readonly outer_loss: number;
    readonly grad_W: number[][];
  }
  itMatchesGolden<Golden>(
    "meta",
    "the adapted head, the outer loss and its gradient by a linear extractor",
    (golden) => {
      const featuresOf = (inputs: number[][]) => inputs.map((x) => golden.W.map((row) => dot(row, x)));
      const [trained, labels] = golden.target_train;
      const o = { steps: golden.inner_steps, rate: golden.inner_lr };
      const head = adaptHead(featuresOf(trained), labels, golden.head0, o);
      for (const [i, value] of golden.head_adapted.entries()) expect(head[i]).toBeCloseTo(value, 9);
      const transfer = headLoss(head, featuresOf(golden.target_val[0]), golden.target_val[1]);

      const { inputs, loss } = contrastiveLoss("metsk", 3);
      const [a, b] = grad(loss, [inputs["a"]!, inputs["b"]!]);
      const rows = featuresOf(golden.source);
      const exact = (shape: readonly number[], values: readonly number[]) =>
        tensorData("float64", shape, Float64Array.from(values));
      const half = (list: number[][]) => exact([2, 3], list.flat());
      const feeds = {
        ...{ a: half(rows.slice(0, 2)), b: half(rows.slice(2)) },
        ...{ eye: exact([2, 2], [1, 0, 0, 1]), tau: exact([], [golden.tau]) },
      };
      const found = interpret({ inputs, outputs: { loss, a: a!, b: b! } }, feeds, { precision: "float64" });
      expect(found["loss"]!.data[0]! + golden.alpha * transfer.loss).toBeCloseTo(golden.outer_loss, 7);
      const bySource = [found["a"]!, found["b"]!].flatMap(({ data }) => [data.slice(0, 3), data.slice(3)]);
      const terms = [
        ...golden.source.map((x, i) => ({ x, gradient: Array.from(bySource[i]!) })),
        ...golden.target_val[0].map((x, i) => ({ x, gradient: transfer.gradients[i]!.map((v) => golden.alpha * v) })),
      ];
      for (const [r, row] of golden.grad_W.entries()) {
        for (const [c, wanted] of row.entries()) {
          expect(terms.reduce((sum, { x, gradient }) => sum + gradient[r]! * x[c]!, 0)).toBeCloseTo(wanted, 7);
        }
      }
    },
  );
});
