"""Writes names and shapes of the weights that transformers gives to configurations of real size, from models without memory.

needs: what scripts/goldens/qwen_vl.py needs
usage: python scripts/goldens/weight_shapes.py CONFIGS test/golden/weight_shapes.json

CONFIGS  folder with a folder per model that holds its config.json, as the Hub has it. The classes' defaults of Qwen3-VL are
         written too, with their configuration.

Per model: model_type, config (null for one of CONFIGS), weights {name: [count, shape]}: names as save_pretrained writes
them, tied weights once; "#" stands for the numbers 0 … count - 1 of a block, all of the same shape.
"""

import argparse
import json
import re
from pathlib import Path

from qwen_vl import flat_name, versions, write_json  # first: it takes the Hub offline
import torch
from transformers import (
    AutoConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

MODELS = ["Qwen2-VL-2B-Instruct", "Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-7B-Instruct"]
CLASSES = {"qwen2_vl": Qwen2VLForConditionalGeneration, "qwen2_5_vl": Qwen2_5_VLForConditionalGeneration,
           "qwen3_vl": Qwen3VLForConditionalGeneration}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("configs", type=Path)
    arguments.add_argument("out", type=Path)
    options = arguments.parse_args()
    record = {"versions": versions()}
    for name in MODELS:
        config = AutoConfig.from_pretrained(options.configs / name)
        record[name] = {"model_type": config.model_type, "config": None, "weights": shapes(config)}
    # The defaults of tower and language model belong to different sizes: the tower's output has to fit.
    vision = dict(out_hidden_size=4096)
    config = Qwen3VLConfig(vision_config=vision, text_config=dict(rope_parameters={
        "rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}))
    record["Qwen3VLConfig"] = {"model_type": config.model_type, "config": json.loads(config.to_json_string(use_diff=False)), "weights": shapes(config)}
    write_json(options.out, record)


def shapes(config):
    with torch.device("meta"):
        model = CLASSES[config.model_type](config)
    rename = (lambda name: name) if config.model_type == "qwen3_vl" else flat_name
    groups = {}
    for name, parameter in model.named_parameters():  # a tied weight comes once
        name = rename(name)
        pattern = re.sub(r"(blocks|layers|deepstack_merger_list)\.\d+\.", r"\1.#.", name)
        groups.setdefault(pattern, []).append((name, list(parameter.shape)))
    result = {}
    for pattern, members in groups.items():
        assert all(shape == members[0][1] for _, shape in members), pattern
        assert [name for name, _ in members] == [pattern.replace("#", str(i)) for i in range(len(members))], pattern
        result[pattern] = [len(members), members[0][1]]
    print(f"{config.model_type}: {sum(count for count, _ in result.values())} weights, {sum(p.numel() for p in model.parameters())} numbers")
    return result


if __name__ == "__main__":
    main()
