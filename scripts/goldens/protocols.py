"""Verdicts of other tools' own scoring code on the answers of test/golden/protocols/cases.json.

The tools are not part of this repository. Give the files that hold their scoring functions; only the functions named
below are taken from them, so that their other imports (API clients, dataset loaders) are not needed:

    python scripts/goldens/protocols.py test/golden/protocols \
      --medevalkit MedEvalKit/utils/utils.py \
      --lmms-slake lmms-eval/lmms_eval/tasks/slake/utils.py --lmms-mmmu lmms-eval/lmms_eval/tasks/mmmu/utils.py \
      --medvlthinker MedVLThinker/analysis/regrade_eval_results.py

A verdict is true, false, or "random" where lmms-eval draws an option by chance.
"""

import argparse
import ast
import difflib
import importlib.metadata
import json
import random
import re
import string
from pathlib import Path
from typing import Any

import numpy as np
from mathruler.grader import extract_boxed_content


def functions(path: str, names: set[str]) -> dict[str, Any]:
    """The named functions of a file, and its constants in capitals."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    is_constant = lambda node: isinstance(node, ast.Assign) and all(
        isinstance(target, ast.Name) and target.id.isupper() and not isinstance(node.value, ast.Call)
        for target in node.targets
    )
    chosen = [n for n in tree.body if (isinstance(n, ast.FunctionDef) and n.name in names) or is_constant(n)]
    scope: dict[str, Any] = dict(
        Any=Any, difflib=difflib, re=re, string=string, np=np, random=random, extract_boxed_content=extract_boxed_content
    )
    exec(compile(ast.Module(chosen, []), path, "exec"), scope)
    missing = names - scope.keys()
    assert not missing, f"{path} lacks {missing}"
    return scope


def letter(case: dict) -> str:
    return string.ascii_uppercase[case["choices"].index(case["answer"])]


def medevalkit(case: dict, tool: dict) -> bool:
    response = case["completion"]
    if case["answer_type"] == "choice":  # as OmniMedVQA.py and MedXpertQA.py
        choices = [f"{string.ascii_uppercase[i]}. {text}" for i, text in enumerate(case["choices"])]
        return tool["judge_multi_choice"](choices, letter(case), tool["extract"](response, "answer"))
    if extract_boxed_content(response) != "None":  # as VQA_RAD.py
        response = extract_boxed_content(response)
    elif "<answer>" in response:
        response = tool["extract"](response, "answer")
    answer, response = case["answer"].lower().strip(), response.lower().strip()
    if answer in ("yes", "no"):
        return tool["judge_judgement"](answer, response)
    if case["answer_type"] == "closed":
        return tool["judge_close_end_vqa"](answer, response)
    return tool["parse_response"](response) == answer  # the exact match of judge_open_end_vqa


def lmms(case: dict, slake: dict, mmmu: dict) -> bool | str:
    if case["answer_type"] != "choice":
        return slake["normalize_answer"](case["completion"]) == slake["normalize_answer"](case["answer"])
    letters = list(string.ascii_uppercase[: len(case["choices"])])
    texts = dict(zip(letters, case["choices"]))
    picks = set()
    for seed in range(40):  # a parsed letter never varies, a random one does
        random.seed(seed)
        picks.add(mmmu["parse_multi_choice_response"](case["completion"], letters, texts))
    return "random" if len(picks) > 1 else picks == {letter(case)}


def medvlthinker(case: dict, tool: dict) -> bool:
    label = letter(case) if case["answer_type"] == "choice" else None
    return tool["grade_answer"](tool["extract_answer"](case["completion"]), case["answer"], label)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name in ("medevalkit", "lmms-slake", "lmms-mmmu", "medvlthinker"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    kit = functions(
        args.medevalkit,
        {
            "str_similarity", "find_most_similar_index", "judge_multi_choice", "parse_response", "judge_close_end_vqa",
            "judge_judgement", "get_content_between_a_b", "extract",
        },
    )
    slake = functions(args.lmms_slake, {"normalize_answer", "_normalize_yes_no", "_normalize_medical_aliases"})
    mmmu = functions(args.lmms_mmmu, {"parse_multi_choice_response"})
    thinker = functions(args.medvlthinker, {"_extract_answer", "extract_answer", "grade_answer"})
    cases = json.loads((args.folder / "cases.json").read_text(encoding="utf-8"))
    verdicts = [
        {"medevalkit": medevalkit(case, kit), "lmms": lmms(case, slake, mmmu), "medvlthinker": medvlthinker(case, thinker)}
        for case in cases
    ]
    alphabet = "ab cdefg"
    rng = random.Random(5)
    texts = ["".join(rng.choice(alphabet) for _ in range(rng.choice([0, 3, 20, 60, 250]))) for _ in range(40)]
    pairs = [[a, b, difflib.SequenceMatcher(None, a, b).ratio()] for a, b in zip(texts, texts[1:])]
    golden = {
        "versions": {"mathruler": importlib.metadata.version("mathruler"), "numpy": np.__version__},
        "tools": {
            "medevalkit": "MedEvalKit, utils/utils.py (fork blackkiring/MedEvalKit at f60b5be), with VQA_RAD.py at 564d279",
            "lmms": "lmms-eval, tasks/slake/utils.py at 65ef07d and tasks/mmmu/utils.py at 02bc1c0",
            "medvlthinker": "MedVLThinker, analysis/regrade_eval_results.py (Wangningsen/MedVLThinker at 938be75)",
        },
        "verdicts": verdicts,
        "similarity": pairs,
    }
    (args.folder / "verdicts.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


main()
