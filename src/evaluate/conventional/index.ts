/** The conventional models by name: logistic regression, nearest neighbours, boosted trees. */
import { UserError } from "../../core/errors.ts";
import { requireNamed } from "../../core/suggest.ts";
import { rowsOf } from "./features.ts";
import { fitLogistic, logisticProbabilities } from "./logistic.ts";
import {
  accuracyOf,
  type Classifier,
  type ConventionalModel,
  type FitInput,
  oneAgainstRest,
  splitBy,
} from "./model.ts";
import { neighbourShares } from "./neighbours.ts";
import { fitTrees, treePredictions } from "./trees.ts";

const lr: ConventionalModel = {
  about: "logistic regression with an L2 penalty",
  fit: (input) => chosenOnFolds(input, [0.1, 1, 10], logisticOf),
};

const knn: ConventionalModel = {
  about: "nearest neighbours by the cosine of all features",
  fit: (input) => chosenOnFolds(input, [1, 5, 15], neighboursOf),
};

/** Trees stop where the last fold no longer gains. */
const gbdt: ConventionalModel = {
  about: "gradient-boosted trees of depth 3",
  fit(input) {
    const { features, targets, classes } = input;
    const { outside, inside } = splitBy(input, Math.max(...input.folds));
    const [fitted, held] = [rowsOf(features, outside), rowsOf(features, inside)];
    return oneAgainstRest(targets, classes, (binary) => {
      const of = (rows: readonly number[]) => Float64Array.from(rows, (i) => binary[i]!);
      const stopOn = inside.length === 0 ? {} : { stopOn: { features: held, targets: of(inside) } };
      const trees = fitTrees(fitted, of(outside), "log_loss", stopOn);
      return (rows) => treePredictions(trees, rows);
    });
  },
};

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

/** The value with the best accuracy over the folds, the first of equal ones, fitted to all rows. */
function chosenOnFolds(
  input: FitInput,
  values: readonly number[],
  fitWith: (input: Omit<FitInput, "folds">, value: number) => Classifier,
): Classifier {
  const { features, targets, classes, folds } = input;
  const scores = values.map((value) => {
    let score = 0;
    for (const fold of new Set(folds)) {
      const { outside, inside } = splitBy(input, fold);
      if (outside.length === 0 || inside.length === 0) continue;
      const part = {
        features: rowsOf(features, outside),
        targets: targets.filter((_, i) => folds[i] !== fold),
        classes,
      };
      const held = targets.filter((_, i) => folds[i] === fold);
      score += held.length * accuracyOf(fitWith(part, value)(rowsOf(features, inside)), held, classes);
    }
    return score;
  });
  return fitWith(input, values[scores.indexOf(Math.max(...scores))]!);
}
