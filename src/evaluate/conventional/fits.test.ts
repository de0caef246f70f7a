import { expect, it } from "vitest";
import { integer, normal, randomKey } from "../../core/random.ts";
import { denseFeatures, rowsOf } from "./features.ts";
import { type Fits, fitted, fittedHere } from "./fits.ts";

const n = 1100;
const key = randomKey(3, "fits");
const features = denseFeatures(Array.from({ length: n }, (_, i) => [0, 1, 2].map((j) => normal(key, 3 * i + j))));
const folds = Int32Array.from({ length: n }, (_, i) => i % 5);
const targets = Int32Array.from({ length: n }, (_, i) => integer(randomKey(4, "classes"), i, 3));
const rows = rowsOf(features, [5, 1, 700]);

it("are the same in a thread of their own", async () => {
  const fits: Fits = {
    model: "lr",
    parts: [
      { to: "classes", input: { features, targets, classes: 3, folds }, rows },
      { to: "numbers", input: { features, targets: features.dense.filter((_, i) => i % 3 === 0), folds }, rows },
    ],
  };
  const apart = await fitted(fits);
  expect(apart).toEqual(fittedHere(fits));
  expect(apart[1]![2]).toBeCloseTo(features.dense[3 * 700]!, 3); // the number is the first column itself
});

it("tell of a thread that dies", async () => {
  const broken = { features, targets, classes: 3, folds: folds.subarray(0, 2) };
  const part = { to: "classes", input: { ...broken, features: { ...features, sparse: [] } }, rows } as const;
  await expect(fitted({ model: "knn", parts: [part] })).rejects.toThrow(/fitting a conventional model failed: /);
});
