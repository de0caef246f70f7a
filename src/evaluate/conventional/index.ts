/** The conventional models by name: regression, nearest neighbours, boosted trees. */
import type { ConventionalName } from "../names.ts";
import { chosenClassifier, chosenRegressor } from "./chosen.ts";
import { type Features, productsOf, rowsOf } from "./features.ts";
import { fitLogistic, logisticProbabilities } from "./logistic.ts";
import {
  type Classifier,
  type ConventionalModel,
  type FitInput,
  type NumberInput,
  oneAgainstRest,
  splitBy,
} from "./model.ts";
import { neighbourClassifier, neighbourRegressor } from "./neighbours.ts";
import { fitRidge } from "./ridge.ts";
import { binnedColumns, fitTrees, type TreeObjective, treePredictions } from "./trees.ts";

const lr: ConventionalModel = {
  about: "logistic regression with an L2 penalty, ridge regression for numbers",
  classify: (input) => chosenClassifier(input, PENALTIES, logisticFits()),
  regress: (input) => chosenRegressor(input, PENALTIES, ridgeOf),
};

const knn: ConventionalModel = {
  about: "nearest neighbours by the cosine of all features",
  classify: (input) => neighbourClassifier(input, NEIGHBOURS),
  regress: (input) => neighbourRegressor(input, NEIGHBOURS),
};

/** Trees stop where the last fold no longer gains. */
const gbdt: ConventionalModel = {
  about: "gradient-boosted trees of depth 3",
  classify({ features, targets, classes, folds }) {
    const fit = treesOn(features, folds, "log_loss");
    return oneAgainstRest(targets, classes, fit);
  },
  regress: ({ features, targets, folds }) => treesOn(features, folds, "squared_error")(targets),
};

/** The strongest first, so that fits begin near their ends. */
const PENALTIES = [10, 1, 0.1];
const NEIGHBOURS = [1, 5, 15];

export const conventionalModels = { lr, knn, gbdt } as const satisfies Readonly<
  Record<ConventionalName, ConventionalModel>
>;

/**
 * Fits that begin where the last one of the same class and penalty ended, or of another penalty: folds share most rows, and
 * the minimum is one whatever the start.
 */
function logisticFits() {
  const ends = new Map<string, Float64Array>();
  return ({ features, targets, classes }: Omit<FitInput, "folds">, l2: number, rough: boolean): Classifier =>
    oneAgainstRest(targets, classes, (binary, c) => {
      const start = ends.get(`${c} ${l2}`) ?? ends.get(`${c}`);
      const model = fitLogistic(features, binary, l2, { rough, start });
      for (const key of [`${c} ${l2}`, `${c}`]) ends.set(key, model.weights);
      return (rows) => logisticProbabilities(model, rows);
    });
}

function ridgeOf({ features, targets }: Omit<NumberInput, "folds">, l2: number) {
  const weights = fitRidge(features, targets, l2);
  return (rows: Features) => productsOf(rows, weights);
}

/** Fits trees to targets of the rows; the rows are put into bins once. */
function treesOn(features: Features, folds: Int32Array, objective: TreeObjective) {
  const { outside, inside } = splitBy({ folds }, Math.max(...folds));
  const fitted = outside.length === 0 ? inside : outside;
  const [part, held] = [rowsOf(features, fitted), rowsOf(features, inside)];
  const columns = binnedColumns(part);
  return (targets: Float64Array) => {
    const of = (rows: readonly number[]) => Float64Array.from(rows, (i) => targets[i]!);
    const stopOn =
      outside.length === 0 || inside.length === 0 ? {} : { stopOn: { features: held, targets: of(inside) } };
    const trees = fitTrees(part, of(fitted), objective, { columns, ...stopOn });
    return (rows: Features) => treePredictions(trees, rows);
  };
}
