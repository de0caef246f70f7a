"""Writes what PEFT makes of LoRA configurations: which layers it adapts with which rank and scale, or that it refuses, and
adapters with random matrices beside the log-probs that the adapted model gives. viva's rules are tested against these files.

needs: Python 3.11, torch (a CPU build is enough), transformers>=5, peft, safetensors; the output of qwen2_vl.py
usage: python scripts/goldens/adapters.py test/golden/peft --checkpoints test/golden/qwen2_vl

targets.json    versions; per case the checkpoint, the configuration, and `layers` {module: [rank, scale]} or `refused`
<adapter>/      adapter_config.json and adapter_model.safetensors as save_pretrained writes them (float32, seeds fixed), and
                golden.json: the checkpoint and the log-prob of every token of the completion in its golden.json
"""

import argparse
import json
import os
import shutil
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from transformers import Qwen2VLForConditionalGeneration

TARGETS = [
    ("grouped_tied", dict(target_modules=["q_proj", "v_proj"])),
    ("grouped_tied", dict(target_modules=["self_attn.o_proj", "model.language_model.layers.1.mlp.up_proj"])),
    ("grouped_tied", dict(target_modules=["qkv", "attn.proj", "fc1", "mlp.2"])),
    ("grouped_tied", dict(target_modules=["j_proj", "q_proj"])),
    ("grouped_tied", dict(target_modules="all-linear")),
    ("ungrouped_untied", dict(target_modules="All-Linear")),
    ("grouped_tied", dict(target_modules="all-linear", exclude_modules=["gate_proj", "fc2"])),
    ("grouped_tied", dict(target_modules="all-linear", exclude_modules=r".*visual.*")),
    ("grouped_tied", dict(target_modules=r".*\.(q|v)_proj")),
    ("grouped_tied", dict(target_modules=r"(?i).*\.Q_PROJ")),
    ("grouped_tied", dict(target_modules=r"^(?!.*visual).*(?P<side>q|k)_proj\Z")),
    ("grouped_tied", dict(target_modules="q_proj")),
    ("grouped_tied", dict(target_modules=r".*language_model\.layers\.1\..*_proj")),
    ("grouped_tied", dict(target_modules=["q_proj", "down_proj"], layers_to_transform=[1])),
    ("grouped_tied", dict(target_modules=["q_proj", "qkv", "mlp.0"], layers_to_transform=0)),
    ("grouped_tied", dict(target_modules=["q_proj", "qkv"], layers_to_transform=[0], layers_pattern="layers")),
    ("grouped_tied", dict(target_modules=["q_proj", "qkv"], layers_to_transform=[0], layers_pattern=["layers", "blocks"])),
    ("grouped_tied", dict(target_modules=["q_proj"], layers_to_transform=[])),
    ("grouped_tied", dict(target_modules=["q_proj"], layers_to_transform=[7])),
    ("grouped_tied", dict(target_modules="all-linear", layers_to_transform=[0])),
    ("grouped_tied", dict(target_modules=["q_proj"], layers_pattern="layers")),
    ("grouped_tied", dict(target_modules=["q_proj", "k_proj", "qkv"], rank_pattern={"q_proj": 8, r".*visual.*qkv": 2},
                          alpha_pattern={r"layers\.1\..*_proj": 5})),
    ("grouped_tied", dict(target_modules=["q_proj", "k_proj"], rank_pattern={"k_proj": 9, r"[qk]_proj": 2}, use_rslora=True)),
    ("grouped_tied", dict(target_modules=["q_proj"], rank_pattern={"_proj": 9})),
    ("grouped_tied", dict(target_modules=["query"])),
    ("grouped_tied", dict(target_modules=["mlp"])),
    ("grouped_tied", dict(target_modules=["q_proj", "input_layernorm"])),
    ("grouped_tied", dict(target_modules=r".*language_model.*")),
    ("grouped_tied", dict(target_modules="(")),
]

# Beside what PEFT refuses, viva refuses what it does not compute.
ONLY_PEFT = [
    ("grouped_tied", dict(target_modules=["q_proj", "embed_tokens"])),
    ("ungrouped_untied", dict(target_modules=["q_proj", "lm_head"])),
    ("grouped_tied", dict(target_modules=["q_proj", "lm_head"])),
    ("grouped_tied", dict(target_modules=["proj"])),
]

ADAPTERS = {
    "list": ("ungrouped_untied", dict(target_modules=["q_proj", "v_proj", "up_proj"], r=3, lora_alpha=6, lora_dropout=0.1)),
    "everywhere": ("two_images", dict(target_modules="all-linear", r=2, lora_alpha=3, use_rslora=True)),
    "uneven": ("grouped_tied", dict(
        target_modules=["q_proj", "down_proj", "qkv", "mlp.2"], r=2, lora_alpha=4, rank_pattern={r"layers\.1\.self_attn\.q_proj": 5, "mlp.2": 1},
        alpha_pattern={"down_proj": 1, r"blocks\.0\.attn\.qkv": 9})),
    "some_layers": ("grouped_tied", dict(target_modules=["k_proj", "gate_proj"], layers_to_transform=[1], layers_pattern="layers", r=4)),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--checkpoints", type=Path, required=True)
    options = arguments.parse_args()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    versions = {m.__name__: m.__version__ for m in (torch, transformers, peft)}
    lines = [json.dumps({"checkpoint": name, "config": config, **describe(options.checkpoints / name / "checkpoint", config)})
             for name, config in TARGETS + ONLY_PEFT]
    (options.out / "targets.json").write_text(
        '{\n"versions": ' + json.dumps(versions) + ',\n"cases": [\n' + ",\n".join(lines[: len(TARGETS)])
        + '\n],\n"only_peft": [\n' + ",\n".join(lines[len(TARGETS) :]) + "\n]\n}\n")
    for seed, (name, (checkpoint, config)) in enumerate(ADAPTERS.items()):
        write_adapter(options.out / name, options.checkpoints / checkpoint, config, seed, versions)


def describe(checkpoint, config):
    model = Qwen2VLForConditionalGeneration.from_pretrained(checkpoint)
    try:
        adapted = get_peft_model(model, LoraConfig(**{"r": 4, "lora_alpha": 8, **config}))
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {str(error)[:80]}"}
    layers = {name.removeprefix("base_model.model."): [module.r["default"], module.scaling["default"]]
              for name, module in adapted.named_modules() if isinstance(module, LoraLayer)}
    return {"layers": layers}


def write_adapter(folder, golden, config, seed, versions):
    model = Qwen2VLForConditionalGeneration.from_pretrained(golden / "checkpoint", attn_implementation="eager")
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **config))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    shutil.rmtree(folder, ignore_errors=True)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = f"test/golden/qwen2_vl/{golden.name}/checkpoint"  # from the repository's root
    saved["target_modules"] = sorted(saved["target_modules"]) if isinstance(saved["target_modules"], list) else saved["target_modules"]
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    log_probs = score(adapted.eval(), golden)
    with adapted.disable_adapter():
        moved = (log_probs - score(adapted, golden)).abs().max().item()
    assert moved > 0.1, moved
    (folder / "golden.json").write_text(json.dumps(
        {"versions": versions, "checkpoint": golden.name, "log_probs": log_probs.tolist()}, indent=1) + "\n")
    print(f"{folder.name}: {len(log_probs)} tokens, the adapter moves log-probs by up to {moved:.2f}")


@torch.no_grad()
def score(model, golden):
    record = json.loads((golden / "golden.json").read_text())
    prompt, completion = record["prompt_ids"], record["completion_ids"]
    ids = torch.tensor([prompt + completion])
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False,
                   mm_token_type_ids=(ids == model.config.image_token_id).int(),
                   pixel_values=load_file(golden / "golden.safetensors")["pixel_values"],
                   image_grid_thw=torch.tensor(record["image_grid_thw"])).logits[0]
    log_probs = torch.log_softmax(logits[len(prompt) - 1 : -1].double(), dim=-1)
    return log_probs.gather(1, torch.tensor(completion)[:, None])[:, 0]


if __name__ == "__main__":
    main()
