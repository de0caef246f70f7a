"""What TRL's own reward functions give, for the rewards that viva has too.

Usage: python scripts/goldens/rewards.py test/golden/rewards.json
Needs trl. Token ids come from a fixed seed.
"""

import json
import platform
import random
import sys
from pathlib import Path

import trl
from trl.rewards import get_repetition_penalty_reward, get_soft_overlong_punishment, think_format_reward

THINK = [
    "<think>a</think><answer>b</answer>",
    "<think>\na\n</think>\n<answer>b</answer>",
    "<think>a</think>b",
    "<think>a</think>",
    "<think></think><answer>b</answer>",
    "a</think><answer>b</answer>",
    "<think>a<answer>b</answer>",
    "<think>a<think>b</think><answer>c</answer>",
    "<think>a</think>b<think>c</think><answer>d</answer>",
    " <think>a</think><answer>b</answer>",
    "x<think>a</think><answer>b</answer>",
    "<think>a</think>x<answer>b</answer>",
    "<think>a</think><answer>b</answer> ",
    "<THINK>a</THINK><answer>b</answer>",
    "",
]


def main():
    rng = random.Random(5)
    ids = [[rng.randrange(4) for _ in range(n)] for n in (0, 1, 2, 3, 4, 7, 12, 30, 80)] + [[5] * 5, list(range(20))]
    overlong = []
    for limit, cache in ((100, 20), (64, 64), (50, 7), (10, 1)):
        lengths = sorted({0, 1, limit - cache, limit - cache + 1, limit - 1, limit, limit + 1, 2 * limit})
        values = get_soft_overlong_punishment(limit, cache)([[1] * n for n in lengths])
        overlong.append({"max_length": limit, "soft_punish_cache": cache, "lengths": lengths, "values": values})
    golden = {
        "versions": {"python": platform.python_version(), "trl": trl.__version__},
        "think_format": [{"text": t, "value": v} for t, v in zip(THINK, think_format_reward([[{"content": t}] for t in THINK]))],
        "soft_overlong": overlong,
        "repetition": [
            {"ngram_size": n, "ids": ids, "values": get_repetition_penalty_reward(n)(ids)} for n in (1, 2, 3, 5)
        ],
    }
    Path(sys.argv[1]).write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
