"""Which completions a group is trained on, by trying every subset in exact fractions: python scripts/goldens/selection.py OUT.json

A second implementation of src/algorithms/selection.ts, written from the papers alone: PODS (arXiv 2504.13818) takes the
subset whose rewards have the largest variance, CPPO (arXiv 2503.22342) the one with the largest absolute advantages.
Needs nothing but Python.
"""
import itertools
import json
import random
import statistics
import sys
from fractions import Fraction


def variance(values):
    mean = sum(values, Fraction(0)) / len(values)
    return sum((v - mean) ** 2 for v in values) / len(values)


def advantages(rewards):
    """GRPO's, as TRL computes them; 0 where all are equal."""
    if len(set(rewards)) < 2:
        return [0.0 for _ in rewards]
    mean = statistics.fmean(rewards)
    deviation = statistics.stdev(rewards)
    return [(r - mean) / (deviation + 1e-4) for r in rewards]


def case(rewards, k):
    exact = [Fraction(r) for r in rewards]
    subsets = list(itertools.combinations(range(len(rewards)), k))
    spread = {s: variance([exact[i] for i in s]) for s in subsets}
    most = max(spread.values())
    best = sorted({tuple(sorted(rewards[i] for i in s)) for s in subsets if spread[s] == most})
    own = advantages(rewards)
    mass = {s: sum(Fraction(abs(own[i])) for i in s) for s in subsets}
    heaviest = max(subsets, key=lambda s: mass[s])
    return {
        "rewards": rewards,
        "count": k,
        "variance": float(most),
        # Every optimal subset, as its sorted rewards with the advantages among them.
        "max_variance": [{"rewards": list(b), "advantages": advantages(list(b))} for b in best],
        "max_advantage": sorted(abs(own[i]) for i in heaviest),
    }


def main():
    draw = random.Random(5)
    kinds = [
        lambda: draw.choice([0.0, 1.0]),
        lambda: draw.choice([0.0, 0.5, 1.0, 1.5]),
        lambda: draw.uniform(-2, 2),
        lambda: 1000 + draw.random() / 64,
        lambda: draw.expovariate(1),
    ]
    cases = []
    for n in (2, 3, 5, 8, 10):
        for kind in kinds:
            rewards = [kind() for _ in range(n)]
            for k in sorted({2, n // 2, n - 1} - {0, 1, n}):
                cases.append(case(rewards, k))
    cases.append(case([1.0] * 6, 3))
    with open(sys.argv[1], "w") as out:
        json.dump({"made_by": f"python {sys.version.split()[0]}, scripts/goldens/selection.py", "cases": cases}, out, indent=1)
        out.write("\n")


main()
