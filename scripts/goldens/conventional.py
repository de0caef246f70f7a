"""Conventional models and their metrics by scikit-learn: small data, fitted models, predictions, areas, errors.

usage: python scripts/goldens/conventional.py test/golden/conventional.json
needs: scikit-learn, numpy
"""

import json
import sys

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, fbeta_score, mean_absolute_error
from sklearn.metrics import mean_absolute_percentage_error, mean_squared_error, r2_score, roc_auc_score


def listed(array):
    return np.asarray(array).round(12).tolist()


def main(path):
    rng = np.random.default_rng(7)
    n = 240
    grades = rng.integers(0, 9, (n, 3)).astype(float)  # fewer distinct values than bins
    smooth = rng.normal(size=(n, 2)).round(6)  # more: cut at quantiles
    x = np.hstack([grades, smooth])
    margin = 0.6 * (grades[:, 0] > 4) * (smooth[:, 0] > 0) * 4 - 1.2 + 0.3 * grades[:, 1] - 0.2 * grades[:, 2] + 0.5 * smooth[:, 1]
    y = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(int)
    number = (margin + 0.3 * rng.normal(size=n)).round(6)
    logistic = {}
    for l2 in (0.1, 1.0, 10.0):
        model = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, y)
        logistic[str(l2)] = listed(np.concatenate([model.intercept_, model.coef_[0]]))
    trees = dict(max_bins=32, max_depth=3, learning_rate=0.1, max_iter=40, min_samples_leaf=20, early_stopping=False)
    classifier = HistGradientBoostingClassifier(**trees).fit(x, y)
    regressor = HistGradientBoostingRegressor(**trees).fit(x, number)
    scores = (rng.integers(0, 12, n) / 11 * 0.5 + 0.5 * classifier.predict_proba(x)[:, 1]).round(1)  # many ties
    called = (scores >= 0.5).astype(int)
    predicted = regressor.predict(x)
    golden = {
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "x": listed(x),
        "y": y.tolist(),
        "number": listed(number),
        "logistic": logistic,
        "trees": {"probabilities": listed(classifier.predict_proba(x)[:, 1]), "numbers": listed(predicted)},
        "scores": listed(scores),
        "binary": {
            "auroc": roc_auc_score(y, scores),
            "auprc": average_precision_score(y, scores),
            "f1": fbeta_score(y, called, beta=1),
            "f3": fbeta_score(y, called, beta=3),
            "brier": brier_score_loss(y, scores),
        },
        "numeric": {
            "mae": mean_absolute_error(number, predicted),
            "rmse": mean_squared_error(number, predicted) ** 0.5,
            "r2": r2_score(number, predicted),
            "mape": mean_absolute_percentage_error(number, predicted),
        },
    }
    with open(path, "w") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


main(sys.argv[1])
