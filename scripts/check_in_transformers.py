"""Checks a checkpoint that viva saved against transformers: every weight is found, and completions get the same log-probs.
A folder with adapter_config.json is loaded with PEFT onto the model it names. Of a folder that `viva export --what both`
wrote, both parts are checked, and the merged weights against what PEFT merges; weights in bfloat16 are computed in float32.

needs: torch (a CPU build is enough), transformers>=5, pillow, for adapters peft, for SmolVLM num2words; no torchvision
usage: python scripts/check_in_transformers.py CHECKPOINT ROWS LOGPROBS [--tolerance 1e-4] [--merged-tolerance 1e-4]

ROWS      JSONL: {"image": path | "images": [path, …], "question": text, "completion": text}, paths relative to the file
LOGPROBS  JSONL, a line per row, as `viva logprobs` writes it: token_ids, log_probs (natural log, of the completion's tokens
          and the token that ends the turn), prompt_tokens, image_tokens
The weights of a checkpoint must have the dtype that its config.json names, which is what transformers loads them in.
Prints the largest difference; exit code 1 when anything is missing, left over or further apart than the tolerance.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers
from safetensors import safe_open
from transformers import (
    AutoConfig,
    AutoTokenizer,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
    SmolVLMProcessor,
)
from transformers.image_utils import load_image

# model_type: the model's class, the processor's, the image processor's
FAMILIES = {
    "qwen2_vl": (Qwen2VLForConditionalGeneration, Qwen2VLProcessor, Qwen2VLImageProcessorPil),
    "qwen2_5_vl": (Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor, Qwen2VLImageProcessorPil),
    "qwen3_vl": (Qwen3VLForConditionalGeneration, Qwen3VLProcessor, Qwen2VLImageProcessorPil),
    "idefics3": (Idefics3ForConditionalGeneration, Idefics3Processor, Idefics3ImageProcessorPil),
    "smolvlm": (SmolVLMForConditionalGeneration, SmolVLMProcessor, SmolVLMImageProcessorPil),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "rows", "logprobs"):
        arguments.add_argument(name, type=Path)
    arguments.add_argument("--tolerance", type=float, default=1e-4)
    arguments.add_argument("--merged-tolerance", type=float, default=1e-4, help="for the merged part of an export")
    options = arguments.parse_args()
    transformers.utils.logging.disable_progress_bar()

    if not (options.checkpoint / "merged").exists():
        check(options.checkpoint, options, options.tolerance)
        return
    adapted = check(options.checkpoint / "adapter", options, options.tolerance)
    merged = check(options.checkpoint / "merged", options, options.merged_tolerance)
    compare_weights(adapted.merge_and_unload(), merged)


def check(checkpoint, options, tolerance):
    model = load_model(checkpoint)
    processor = load_processor(checkpoint)
    rows, answers = read_jsonl(options.rows), read_jsonl(options.logprobs)
    require(len(rows) > 0, f"{options.rows}: no rows")
    require(len(rows) == len(answers), f"{len(rows)} rows, but {len(answers)} lines of log-probs")

    worst, tokens = 0.0, 0
    for number, (row, answer) in enumerate(zip(rows, answers), start=1):
        expected = score(model, processor, row, options.rows.parent)
        for key in ("prompt_tokens", "image_tokens", "token_ids"):
            require(answer[key] == expected[key], f"row {number}: {key} is {answer[key]}, transformers has {expected[key]}")
        log_probs = torch.tensor(answer["log_probs"], dtype=torch.float64)
        require(len(log_probs) == len(expected["log_probs"]), f"row {number}: {len(log_probs)} log-probs for {len(expected['log_probs'])} tokens")
        difference = (log_probs - expected["log_probs"]).abs().max().item()
        # Written so that a NaN fails.
        require(difference <= tolerance, f"{checkpoint}, row {number}: log-probs differ by {difference:.2e}, more than {tolerance:.0e}")
        worst, tokens = max(worst, difference), tokens + len(log_probs)
    print(f"{checkpoint}: transformers {transformers.__version__}: {len(rows)} rows, {tokens} tokens, largest log-prob difference {worst:.2e}")
    return model


def compare_weights(ours, theirs):
    """Relative to each weight's largest value: one rounding of the merged part's dtype, and float32 sums in another order."""
    stored = theirs.stored_dtype
    bound = 2**-8 if stored == torch.bfloat16 else 1e-6
    worst = 0.0
    for (name, a), (other, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        require(name == other, f"{name} stands where {other} is")
        difference = ((a - b).abs().max() / a.abs().max()).item()
        require(difference <= bound, f"{name}: PEFT's merged weight differs by {difference:.2e}, more than {bound:.0e}")
        worst = max(worst, difference)
    print(f"merged weights ({stored}): largest relative difference to PEFT's {worst:.2e}")


def load_model(checkpoint):
    base = model_folder(checkpoint)
    if base != checkpoint:
        return load_adapter(checkpoint, base)
    model, info = family(checkpoint)[0].from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        require(not info[kind], f"{checkpoint}: {kind.replace('_', ' ')}: {sorted(map(str, info[kind]))}")
    model.stored_dtype = stored_dtype(checkpoint)
    return model.eval()


def stored_dtype(checkpoint):
    stored = {handle.get_tensor(name).dtype for path in checkpoint.glob("model*.safetensors")
              for handle in [safe_open(path, "pt")] for name in handle.keys()}
    named = AutoConfig.from_pretrained(checkpoint).dtype
    require(stored == {named} or named is None, f"{checkpoint}: weights of {stored}, but config.json names {named}")
    return stored.pop()


def load_adapter(adapter, base):
    import warnings

    from peft import AutoPeftModel, PeftModel

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(load_model(base), adapter)
    missing = [str(warning.message) for warning in caught if "missing adapter keys" in str(warning.message).lower()]
    require(not missing, f"{adapter}: {missing}")
    opened = type(AutoPeftModel.from_pretrained(adapter).get_base_model())
    require(opened is type(model.get_base_model()), f"{adapter}: AutoPeftModel opens a {opened.__name__}")
    return model.eval()


def load_processor(checkpoint):
    _, processor, image_processor = family(model_folder(checkpoint))
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    images = image_processor.from_pretrained(checkpoint)
    options = {"video_processor": None} if processor is SmolVLMProcessor else {}
    if (tokens := tokens_per_tile(model_folder(checkpoint), images)) is not None:
        options["image_seq_len"] = tokens
    return without_video(processor)(image_processor=images, tokenizer=tokenizer, chat_template=tokenizer.chat_template, **options)


def tokens_per_tile(folder, images):
    """Of the families that cut images into tiles; transformers would take it from a processor_config.json, or a default."""
    config = json.loads((folder / "config.json").read_text())
    if "scale_factor" not in config:
        return None
    return (images.max_image_size["longest_edge"] // config["vision_config"]["patch_size"] // config["scale_factor"]) ** 2


def without_video(processor):
    """The processor without a video processor, which would need torchvision."""

    class Processor(processor):
        def check_argument_for_proper_class(self, *args, **kwargs):
            return None

    return Processor


def model_folder(checkpoint):
    """The folder itself, or the one that an adapter names."""
    config = checkpoint / "adapter_config.json"
    return Path(json.loads(config.read_text())["base_model_name_or_path"]) if config.exists() else checkpoint


def family(folder):
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    require(model_type in FAMILIES, f"{folder}: unknown model_type {model_type}, known: {', '.join(FAMILIES)}")
    return FAMILIES[model_type]


@torch.no_grad()
def score(model, processor, row, folder):
    paths = row["images"] if "images" in row else [row["image"]] if "image" in row else []
    content = [*({"type": "image"} for _ in paths), {"type": "text", "text": row["question"]}]
    tokenizer, asked = processor.tokenizer, [{"role": "user", "content": content}]
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    images = [load_image(str(folder / path)) for path in paths]
    inputs = processor(text=[prompt], images=images or None, return_tensors="pt", add_special_tokens=False)
    prompt_ids = inputs.pop("input_ids")
    # What the template makes of the assistant's turn: some families put a blank before its text.
    answer = {"role": "assistant", "content": [{"type": "text", "text": row["completion"]}]}
    turn = tokenizer.apply_chat_template([*asked, answer], tokenize=False).removeprefix(prompt).removesuffix("\n")
    completion_ids = tokenizer(turn, add_special_tokens=False)["input_ids"]
    ids = torch.cat([prompt_ids, torch.tensor([completion_ids])], dim=1)
    is_image = (ids == model.config.image_token_id).int()
    inputs = {key: inputs[key] for key in ("pixel_values", "pixel_attention_mask", "image_grid_thw") if key in inputs}
    if not hasattr(model.config, "scale_factor"):  # three-axis positions depend on it
        inputs["mm_token_type_ids"] = is_image
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **inputs).logits
    log_probs = torch.log_softmax(logits[0, prompt_ids.shape[1] - 1 : -1].double(), dim=-1)
    return {"token_ids": completion_ids, "log_probs": log_probs.gather(1, torch.tensor(completion_ids)[:, None])[:, 0],
            "prompt_tokens": prompt_ids.shape[1], "image_tokens": int(is_image[0, : prompt_ids.shape[1]].sum())}


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def require(condition, message):
    if not condition:
        sys.exit(message)  # to stderr, exit code 1


if __name__ == "__main__":
    main()
