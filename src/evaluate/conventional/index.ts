/** The conventional models by name: regression, nearest neighbours, boosted trees. */
import { UserError } from "../../core/errors.ts";
import { requireNamed } from "../../core/suggest.ts";
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
import { neighbourMeans, neighbourShares } from "./neighbours.ts";
import { fitRidge } from "./ridge.ts";
import { fitTrees, type TreeObjective, treePredictions } from "./trees.ts";

const lr: ConventionalModel = {
  about: "logistic regression with an L2 penalty, ridge regression for numbers",
  classify: (input) => chosenClassifier(input, PENALTIES, logisticOf),
  regress: (input) => chosenRegressor(input, PENALTIES, ridgeOf),
};

const knn: ConventionalModel = {
  about: "nearest neighbours by the cosine of all features",
  classify: (input) => chosenClassifier(input, NEIGHBOURS, neighboursOf),
  regress: (input) =>
    chosenRegressor(input, NEIGHBOURS, ({ features, targets }, k) => (rows) => {
      return neighbourMeans(features, targets, rows, k);
    }),
};

/** Trees stop where the last fold no longer gains. */
const gbdt: ConventionalModel = {
  about: "gradient-boosted trees of depth 3",
  classify(input) {
    return oneAgainstRest(input.targets, input.classes, (targets) => treesOf({ ...input, targets }, "log_loss"));
  },
  regress: (input) => treesOf(input, "squared_error"),
};

const PENALTIES = [0.1, 1, 10];
const NEIGHBOURS = [1, 5, 15];

export const conventionalModels = { lr, knn, gbdt } as const satisfies Readonly<Record<string, ConventionalModel>>;

export type ConventionalName = keyof typeof conventionalModels;

/** Parses a comma-separated list such as "lr,knn"; a UserError suggests the nearest name. */
export function findConventional(list: string): readonly ConventionalName[] {
  const names = [...new Set(list.split(",").map((name) => name.trim()))].filter((name) => name !== "");
  if (names.length === 0) throw new UserError(`name at least one of ${Object.keys(conventionalModels).join(", ")}`);
  return names.map((name) => requireNamed("conventional model", name, conventionalModels));
}

function logisticOf({ features, targets, classes }: Omit<FitInput, "folds">, l2: number): Classifier {
  return oneAgainstRest(targets, classes, (binary) => {
    const model = fitLogistic(features, binary, l2);
    return (rows) => logisticProbabilities(model, rows);
  });
}

function neighboursOf({ features, targets, classes }: Omit<FitInput, "folds">, k: number): Classifier {
  return (rows) => neighbourShares(features, targets, classes, rows, k);
}

function ridgeOf({ features, targets }: Omit<NumberInput, "folds">, l2: number) {
  const weights = fitRidge(features, targets, l2);
  return (rows: Features) => productsOf(rows, weights);
}

function treesOf({ features, targets, folds }: NumberInput, objective: TreeObjective) {
  const { outside, inside } = splitBy({ folds }, Math.max(...folds));
  const fitted = outside.length === 0 ? inside : outside;
  const of = (rows: readonly number[]) => Float64Array.from(rows, (i) => targets[i]!);
  const held = { features: rowsOf(features, inside), targets: of(inside) };
  const stopOn = outside.length === 0 || inside.length === 0 ? {} : { stopOn: held };
  const trees = fitTrees(rowsOf(features, fitted), of(fitted), objective, stopOn);
  return (rows: Features) => treePredictions(trees, rows);
}
