/** Fitted models and metrics against scikit-learn's on the same rows (scripts/goldens/conventional.py). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { fold, normal, randomKey, uniform } from "../../core/random.ts";
import {
  auprc,
  auroc,
  brier,
  calibrationError,
  confusion,
  costOf,
  fMeasure,
  minPrecisionRecall,
} from "../metrics/binary.ts";
import { concordance, numericErrors } from "../metrics/numeric.ts";
import { subgroupGaps } from "../metrics/subgroups.ts";
import { beside, denseFeatures, type Features } from "./features.ts";
import { subjectFolds } from "./folds.ts";
import { fitLogistic, logisticGradient, logisticProbabilities } from "./logistic.ts";
import { nearestRows } from "./nearest-rows.ts";
import { neighbourShares } from "./neighbours.ts";
import { principalComponents, zScores } from "./standardise.ts";
import { fitTrees, treePredictions } from "./trees.ts";

interface Golden {
  readonly x: readonly number[][];
  readonly y: readonly number[];
  readonly number: readonly number[];
  readonly logistic: Readonly<Record<string, readonly number[]>>;
  readonly trees: { readonly probabilities: readonly number[]; readonly numbers: readonly number[] };
  readonly scores: readonly number[];
  readonly binary: Readonly<Record<string, number>>;
  readonly numeric: Readonly<Record<string, number>>;
}
const golden: Golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/conventional.json", import.meta.url), "utf8"),
);
const features = denseFeatures(golden.x);

/** The same rows with the columns kept sparse. */
function sparsely(rows: readonly number[][]): Features {
  return {
    ...{ n: rows.length, width: 0, dense: new Float64Array(0), sparseWidth: rows[0]!.length },
    sparse: rows.map((row) => {
      const columns = row.flatMap((value, j) => (value === 0 ? [] : [j]));
      return { columns: Int32Array.from(columns), values: Float64Array.from(columns, (j) => row[j]!) };
    }),
  };
}

function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
}

describe("logistic regression", () => {
  it.each(["0.1", "1.0", "10.0"])("equals scikit-learn's with l2 = %s, dense and sparse", (l2) => {
    const wanted = golden.logistic[l2]!;
    for (const rows of [features, sparsely(golden.x)]) {
      const model = fitLogistic(rows, golden.y, Number(l2));
      expect(furthest(model.weights, wanted)).toBeLessThan(1e-7);
      expect(logisticGradient(model, rows, golden.y, Number(l2))).toBeLessThan(1e-8);
    }
  });

  it("stays finite where the classes are far apart and the penalty is small", () => {
    const rows = denseFeatures([[-100], [-50], [50], [100]]);
    const model = fitLogistic(rows, [0, 0, 1, 1], 1e-3);
    expect(model.weights.every(Number.isFinite)).toBe(true);
    expect(logisticProbabilities(model, rows)[3]).toBeGreaterThan(0.99);
  });

  interface Published {
    readonly X: number[][];
    readonly y: number[];
    readonly l2: number;
    readonly w_bias_first: number[];
  }
  itMatchesGolden<Published>("logistic", "weights", ({ X, y, l2, w_bias_first }) => {
    expect(furthest(fitLogistic(denseFeatures(X), y, l2).weights, w_bias_first)).toBeLessThan(1e-8);
  });
});

describe("boosted trees", () => {
  const options = { maxTrees: 40 };

  it("equal scikit-learn's for log loss and squared error", () => {
    const classifier = fitTrees(features, golden.y, "log_loss", options);
    expect(furthest(treePredictions(classifier, features), golden.trees.probabilities)).toBeLessThan(1e-5);
    const regressor = fitTrees(features, golden.number, "squared_error", options);
    expect(furthest(treePredictions(regressor, features), golden.trees.numbers)).toBeLessThan(1e-5);
  });

  it("split sparse columns as dense ones", () => {
    const rows = golden.x.map((row) => row.map((value) => Math.max(0, value - 4)));
    const dense = treePredictions(fitTrees(denseFeatures(rows), golden.y, "log_loss", options), denseFeatures(rows));
    const sparse = treePredictions(fitTrees(sparsely(rows), golden.y, "log_loss", options), sparsely(rows));
    expect(furthest(dense, sparse)).toBe(0);
  });

  it("stop where held-out rows no longer gain", () => {
    const key = randomKey(1, "noise");
    const noise = denseFeatures(Array.from({ length: 200 }, (_, i) => [normal(key, i)]));
    const targets = Array.from({ length: 200 }, (_, i) => (uniform(randomKey(1, "coin"), i) < 0.5 ? 1 : 0));
    const stopped = fitTrees(noise, targets, "log_loss", { stopOn: { features, targets: golden.y } });
    expect(stopped.trees.length).toBeLessThan(20);
  });
});

describe("neighbours, folds, components", () => {
  it("finds a row itself as its nearest, and the shares of its classes", () => {
    const rows = denseFeatures([
      [1, 0],
      [0.9, 0.1],
      [0, 1],
    ]);
    expect([...neighbourShares(rows, [0, 1, 1], 2, rows, 1)]).toEqual([1, 0, 0, 1, 0, 1]);
    const some = neighbourShares(
      beside([rows, sparsely([[0], [1], [1]])]),
      [0, 1, 1],
      2,
      beside([rows, sparsely([[0], [1], [1]])]),
      3,
    );
    expect([...some.slice(0, 2)].map((value) => value.toFixed(3))).toEqual(["0.333", "0.667"]);
  });

  it("finds what comparing every pair finds, with equal rows in their order and a row's own fold left out", () => {
    const key = randomKey(4, "rows");
    const n = 60;
    // Few values, so that many rows are equally near.
    const draw = (i: number, c: number) => Math.floor(3 * uniform(fold(key, i), c));
    const dense = denseFeatures(Array.from({ length: n }, (_, i) => [draw(i, 0), draw(i, 1)]));
    const words = sparsely(Array.from({ length: n }, (_, i) => [draw(i, 2), draw(i, 3), draw(i, 4)]));
    const rows = beside([dense, words]);
    const folds = Int32Array.from({ length: n }, (_, i) => i % 4);
    const vectors = Array.from({ length: n }, (_, i) => [0, 1, 2, 3, 4].map((c) => draw(i, c)));
    const product = (a: number, b: number) => vectors[a]!.reduce((sum, value, c) => sum + value * vectors[b]![c]!, 0);
    const found = nearestRows(rows, rows, 7, folds);
    for (let r = 0; r < n; r++) {
      const alike = (i: number) => product(i, r) * (1 / (Math.sqrt(product(i, i)) || 1));
      const others = Array.from({ length: n }, (_, i) => i).filter((i) => i % 4 !== r % 4);
      expect([...found[r]!], `row ${r}`).toEqual(others.sort((a, b) => alike(b) - alike(a) || a - b).slice(0, 7));
    }
  });

  it("keeps every subject in one fold, and folds of nearly equal size", () => {
    const subjects = Array.from({ length: 103 }, (_, i) => `s${i % 41}`);
    const folds = subjectFolds(subjects, 5, 3);
    for (const [i, subject] of subjects.entries()) expect(folds[i]).toBe(folds[subjects.indexOf(subject)]);
    const sizes = [0, 1, 2, 3, 4].map((fold) => new Set(subjects.filter((_, i) => folds[i] === fold)).size);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  it("gives components that are uncorrelated, in falling order of variance, and z-scores", () => {
    const rows = golden.x.map((row) => row.map((value, j) => value * [9, 3, 1, 6, 2][j]!));
    const of = principalComponents(rows, 3);
    const scores = rows.map(of);
    const covariance = (a: number, b: number) =>
      scores.reduce((sum, row) => sum + row[a]! * row[b]!, 0) / scores.length;
    expect(Math.abs(covariance(0, 1))).toBeLessThan(1e-6 * covariance(0, 0));
    expect(covariance(0, 0)).toBeGreaterThan(covariance(1, 1));
    const z = zScores(golden.x.map((row) => [...row, 5]));
    const column = golden.x.map((row) => z([...row, 5])[3]!);
    expect(column.reduce((sum, value) => sum + value ** 2, 0) / column.length).toBeCloseTo(1, 12);
    expect(z([0, 0, 0, 0, 0, 7])[5]).toBe(0);
  });
});

describe("metrics", () => {
  const { y, scores, binary, numeric } = golden;

  it("equal scikit-learn's, ties included", () => {
    expect(auroc(y, scores)).toBeCloseTo(binary["auroc"]!, 12);
    expect(auprc(y, scores)).toBeCloseTo(binary["auprc"]!, 12);
    expect(fMeasure(confusion(y, scores))).toBeCloseTo(binary["f1"]!, 12);
    expect(fMeasure(confusion(y, scores), 3)).toBeCloseTo(binary["f3"]!, 12);
    expect(brier(y, scores)).toBeCloseTo(binary["brier"]!, 12);
    const errors = numericErrors(golden.number, golden.trees.numbers);
    for (const [name, value] of Object.entries(errors)) expect(value, name).toBeCloseTo(numeric[name]!, 9);
  });

  it("hold under monotone maps, and AUROC of the complement is the complement", () => {
    expect(
      auroc(
        y,
        scores.map((p) => Math.exp(3 * p)),
      ),
    ).toBeCloseTo(auroc(y, scores), 12);
    expect(
      auprc(
        y,
        scores.map((p) => p ** 3),
      ),
    ).toBeCloseTo(auprc(y, scores), 12);
    expect(
      auroc(
        y,
        scores.map((p) => 1 - p),
      ),
    ).toBeCloseTo(1 - auroc(y, scores), 12);
    expect(auroc([1, 1], [0.2, 0.4])).toBeNaN();
    expect(auprc([0, 0], [0.2, 0.4])).toBeNaN();
  });

  it("calibration is 0 where frequencies equal probabilities", () => {
    expect(calibrationError([1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25])).toBeCloseTo(0, 12);
    expect(calibrationError([0, 0], [0.9, 0.9])).toBeCloseTo(0.9, 12);
  });

  it("gaps turn round with the groups' labels, and are 0 and 1 for equal groups", () => {
    const group = y.map((_, i) => i % 2 === 0);
    const [gaps, turned] = [
      subgroupGaps(y, scores, group)(),
      subgroupGaps(
        y,
        scores,
        group.map((own) => !own),
      )(),
    ];
    expect(turned.disparate_impact).toBeCloseTo(1 / gaps.disparate_impact, 12);
    expect(turned.parity_difference).toBeCloseTo(-gaps.parity_difference, 12);
    expect(turned.opportunity_difference).toBeCloseTo(-gaps.opportunity_difference, 12);
    expect(turned.odds_difference).toBeCloseTo(-gaps.odds_difference, 12);
    const twice = [...y, ...y];
    const equal = subgroupGaps(
      twice,
      [...scores, ...scores],
      twice.map((_, i) => i < y.length),
    )();
    expect(equal).toEqual({ disparate_impact: 1, parity_difference: 0, opportunity_difference: 0, odds_difference: 0 });
  });

  interface Published {
    readonly y: number[];
    readonly p: number[];
    readonly group: number[];
    readonly auroc: number;
    readonly auprc: number;
    readonly minpse: number;
    readonly confusion_tp_fp_fn_tn: number[];
    readonly f1: number;
    readonly f3: number;
    readonly cost_fn5_fp1_per_item: number;
    readonly fairness: Readonly<Record<"DI" | "SPD" | "AOD" | "EOD", number>>;
  }
  itMatchesGolden<Published>("binary", "areas, counts, costs and gaps", (wanted) => {
    const counts = confusion(wanted.y, wanted.p);
    expect(auroc(wanted.y, wanted.p)).toBeCloseTo(wanted.auroc, 9);
    expect(auprc(wanted.y, wanted.p)).toBeCloseTo(wanted.auprc, 9);
    expect(minPrecisionRecall(wanted.y, wanted.p)).toBeCloseTo(wanted.minpse, 9);
    expect([counts.tp, counts.fp, counts.fn, counts.tn]).toEqual(wanted.confusion_tp_fp_fn_tn);
    expect(fMeasure(counts)).toBeCloseTo(wanted.f1, 9);
    expect(fMeasure(counts, 3)).toBeCloseTo(wanted.f3, 9);
    expect(costOf(counts)).toBeCloseTo(wanted.cost_fn5_fp1_per_item, 9);
    const gaps = subgroupGaps(
      wanted.y,
      wanted.p,
      wanted.group.map((group) => group === 1),
    )();
    // The published program adds 1e-8 to denominators.
    expect(gaps.disparate_impact).toBeCloseTo(wanted.fairness.DI, 6);
    expect(gaps.parity_difference).toBeCloseTo(wanted.fairness.SPD, 6);
    expect(gaps.odds_difference).toBeCloseTo(wanted.fairness.AOD, 6);
    expect(gaps.opportunity_difference).toBeCloseTo(wanted.fairness.EOD, 6);
  });

  interface Regression {
    readonly time: number[];
    readonly event: number[];
    readonly predicted: number[];
    readonly c_index: number;
    readonly mae: number;
    readonly r2: number;
  }
  itMatchesGolden<Regression>("regression_metrics", "errors and concordance", (wanted) => {
    const { mae, r2 } = numericErrors(wanted.time, wanted.predicted);
    expect([mae, r2]).toEqual([expect.closeTo(wanted.mae, 9), expect.closeTo(wanted.r2, 9)]);
    const events = wanted.event.map((event) => event === 1);
    expect(concordance(wanted.time, wanted.predicted, events)).toBeCloseTo(wanted.c_index, 9);
  });
});
