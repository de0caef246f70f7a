"""Metrics and statistics as nltk, rouge-score, scikit-learn, scipy and statsmodels compute them.

    python scripts/goldens/metrics.py test/golden/metrics.json
"""

import importlib.metadata
import json
import math
import random
import sys
import warnings
from collections import Counter
from itertools import combinations

import numpy as np
import statsmodels.api as sm
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import bootstrap, norm
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score, recall_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import MultiLabelBinarizer, normalize
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

warnings.filterwarnings("ignore")
rng = random.Random(11)
generator = np.random.default_rng(11)
WORDS = "left right lung lobe upper lower effusion no heart 2 liver mass".split()


class Blanks:
    def tokenize(self, text):
        return text.split()


def bag(tokens):
    seen = Counter()
    out = set()
    for token in tokens:
        seen[token] += 1
        out.add(f"{token}#{seen[token]}")
    return out


def overlap():
    pairs = [([], ["lung"]), (["lung"], ["lung"]), (["lung", "lung"], ["lung"]), (["a"], ["b"])]
    for _ in range(60):
        pairs.append(tuple([rng.choice(WORDS) for _ in range(rng.randint(1, 9))] for _ in range(2)))
    scorer = RougeScorer(["rouge1", "rougeL"], tokenizer=Blanks())
    smoothing = SmoothingFunction().method2
    rows = []
    for prediction, reference in pairs:
        labels = MultiLabelBinarizer().fit([bag(prediction) | bag(reference) | {"", "#"}])
        true, guess = labels.transform([bag(reference)]), labels.transform([bag(prediction)])
        rouge = scorer.score(" ".join(reference), " ".join(prediction))
        rows.append({
            "prediction": prediction,
            "reference": reference,
            "bleu_1": sentence_bleu([reference], prediction, weights=(1,)) if prediction else 0,
            "bleu_4": sentence_bleu([reference], prediction, smoothing_function=smoothing) if prediction else 0,
            "rouge_1": rouge["rouge1"].fmeasure,
            "rouge_l": rouge["rougeL"].fmeasure,
            "token_f1": f1_score(true, guess, average="samples", zero_division=0),
            "recall": recall_score(true, guess, average="samples", zero_division=0),
        })
    return rows


def sampled():
    passes = []
    for n, right in [(1, 0), (1, 1), (4, 1), (5, 2), (8, 3), (10, 10), (6, 0)]:
        for k in range(1, n + 1):  # counted over every subset of k answers
            subsets = list(combinations(range(n), k))
            passes.append([n, right, k, sum(any(i < right for i in subset) for subset in subsets) / len(subsets)])
    votes = []
    for _ in range(40):
        cast = [rng.choice(["a", "b", "c"]) for _ in range(rng.randint(1, 9))]
        votes.append([cast, Counter(cast).most_common(1)[0][0]])
    return {"pass_at_k": passes, "majority": votes}


def clustered(subjects, rows_each):
    groups = np.repeat(np.arange(subjects), rows_each)
    level = generator.normal(size=subjects)[groups]
    return (level + generator.normal(size=len(groups)) > 0.2).astype(float), groups


def intervals():
    rows = []
    for subjects, rows_each in [(40, 1), (60, 4), (150, 3)]:
        values, groups = clustered(subjects, rows_each)
        other, _ = clustered(subjects, rows_each)
        entry = {"values": values.tolist(), "other": other.tolist(), "subjects": [f"s{g}" for g in groups]}
        for name, data in (("mean", values), ("difference", values - other)):
            sums = np.array([data[groups == g].sum() for g in range(subjects)])
            counts = np.array([(groups == g).sum() for g in range(subjects)])
            result = bootstrap(
                (sums, counts), lambda s, c, axis=-1: s.sum(axis=axis) / c.sum(axis=axis), paired=True, method="percentile",
                n_resamples=20000, rng=np.random.default_rng(3),
            )
            fit = sm.OLS(data, np.ones(len(data))).fit(cov_type="cluster", cov_kwds={"groups": groups})
            entry[name] = {
                "estimate": float(data.mean()),
                "low": float(result.confidence_interval.low),
                "high": float(result.confidence_interval.high),
                "standard_error": float(fit.bse[0]),
            }
        rows.append(entry)
    return rows


def detectable(power, n, deviation):
    """The difference by scipy's quantiles, at which statsmodels' power is 80 %; its own solver stops at a few digits."""
    error = deviation / math.sqrt(n)
    difference = (norm.ppf(0.975) + norm.ppf(0.8)) * error
    assert abs(power.power(difference / deviation, n, 0.05, ratio=0) - 0.8) < 1e-5
    return [error, float(difference)]


def tests():
    tables = [(0, 0), (5, 5), (1, 0), (6, 0), (10, 2), (2, 10), (40, 61), (300, 250)]
    p_values = [[0.01, 0.04, 0.03], [0.5], [0.2, 0.001, 0.04, 0.04, 0.9], [0.6, 0.7, 0.8]]
    shares = [(0, 10), (8, 10), (10, 10), (123, 451), (1, 1)]
    power = NormalIndPower(ddof=0)
    return {
        "mcnemar": [[a, b, float(mcnemar([[7, a], [b, 9]], exact=True).pvalue)] for a, b in tables],
        "holm": [[p, multipletests(p, method="holm")[1].tolist()] for p in p_values],
        "wilson": [[k, n, *map(float, proportion_confint(k, n, method="wilson"))] for k, n in shares],
        "detectable": [detectable(power, n, deviation) for n, deviation in [(100, 0.5), (451, 0.47), (5000, 1.0)]],
    }


def comparison():
    """Three arms of 120 questions about 40 subjects, the first the reference."""
    subjects = [f"s{i // 3}" for i in range(120)]
    arms = [[int(rng.random() < chance) for _ in subjects] for chance in (0.5, 0.55, 0.75)]
    def flips(arm):
        won = sum(a > b for a, b in zip(arm, arms[0]))
        lost = sum(a < b for a, b in zip(arm, arms[0]))
        return won, lost
    tables = [flips(arm) for arm in arms[1:]]
    p = [float(mcnemar([[0, won], [lost, 0]], exact=True).pvalue) for won, lost in tables]
    rows = []
    for arm, (won, lost), value, corrected in zip(arms[1:], tables, p, multipletests(p, method="holm")[1]):
        difference = np.array(arm, dtype=float) - np.array(arms[0])
        groups = np.unique(subjects, return_inverse=True)[1]
        fit = sm.OLS(difference, np.ones(len(difference))).fit(cov_type="cluster", cov_kwds={"groups": groups})
        rows.append({
            "difference": float(difference.mean()), "won": won, "lost": lost, "mcnemar_p": value,
            "holm_p": float(corrected), "standard_error": float(fit.bse[0]),
        })
    return {"subjects": subjects, "arms": arms, "compared": rows}


def nearest():
    """TF-IDF cosines, and for each question the training question with the largest sum of text and image similarity."""
    texts = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 7))) for _ in range(60)]
    train, asked = texts[:45], texts[45:] + ["unknown words", "left left lung"]
    vectorizer = TfidfVectorizer(token_pattern=r"\S+")
    similarity = cosine_similarity(vectorizer.fit_transform(train), vectorizer.transform(asked)).T
    units = [normalize(generator.normal(size=(len(rows), 8))) for rows in (train, asked)]
    images = [unit.astype(np.float32) for unit in units]
    total = similarity + images[1].astype(float) @ images[0].astype(float).T
    return {
        "train": train, "asked": asked, "similarity": similarity.tolist(),
        "train_images": np.round(images[0], 6).tolist(), "asked_images": np.round(images[1], 6).tolist(),
        "nearest": total.argmax(axis=1).tolist(), "nearest_text": similarity.argmax(axis=1).tolist(),
    }


golden = {
    "versions": {
        name: importlib.metadata.version(name)
        for name in ("nltk", "rouge-score", "scikit-learn", "scipy", "statsmodels", "numpy")
    },
    "overlap": overlap(), "sampled": sampled(), "intervals": intervals(), "tests": tests(),
    "comparison": comparison(), "nearest": nearest(),
}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(golden, file)
    file.write("\n")
