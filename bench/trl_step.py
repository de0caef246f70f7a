"""Times GRPO steps of TRL on a random Qwen2-VL, and leaves checkpoint and rows for `viva bench step` to train on.

needs: torch (a CPU build), transformers>=5, trl>=1.13, peft, accelerate, datasets, pillow
usage: python bench/trl_step.py {tiny,small} FOLDER [--lora] [--steps 4] [--prompts 4] [--group 8] [--completion 64]

Writes FOLDER/checkpoint, FOLDER/rows.jsonl with its images, and prints one JSON object: parameters, step_seconds, max_rss_gb,
versions.
Special tokens are suppressed while TRL samples, so that every completion has its full length and no image token appears.
"""

import argparse
import json
import os
import random
import resource
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch
from datasets import Dataset
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (PreTrainedTokenizerFast, Qwen2VLConfig, Qwen2VLForConditionalGeneration,
                          Qwen2VLImageProcessorPil, Qwen2VLProcessor, TrainerCallback)
from trl import GRPOConfig, GRPOTrainer

# width, layers, heads, key-value heads, MLP, vision layers, vision width: about 7 and 53 million parameters
SIZES = {"tiny": (256, 6, 4, 2, 768, 4, 128), "small": (576, 12, 9, 3, 1536, 8, 256)}
VOCABULARY = 4096
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for part in m.content %}{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
QUESTION = "Is there a lesion in this image? Answer yes or no and say why."


class Processor(Qwen2VLProcessor):
    """Without a video processor, which would need torchvision."""

    def check_argument_for_proper_class(self, *args, **kwargs):
        return None


class Clock(TrainerCallback):
    def __init__(self):
        self.seconds = []

    def on_step_begin(self, *args, **kwargs):
        self.started = time.perf_counter()

    def on_step_end(self, *args, **kwargs):
        self.seconds.append(time.perf_counter() - self.started)


def make_tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = alphabet + [f"unused{i}" for i in range(VOCABULARY - len(SPECIAL) - len(alphabet))]
    bpe = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>",
                                        additional_special_tokens=SPECIAL)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_model(size, ids):
    width, layers, heads, key_value_heads, mlp, vision_layers, vision_width = SIZES[size]
    half = width // heads // 2
    section = [half - 2 * (3 * half // 8), 3 * half // 8, 3 * half // 8]
    text = dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
                num_key_value_heads=key_value_heads, intermediate_size=mlp, vocab_size=VOCABULARY,
                max_position_embeddings=2048, tie_word_embeddings=True, rope_theta=1e6,
                rope_scaling={"type": "mrope", "rope_type": "default", "mrope_section": section},
                bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"])
    vision = dict(depth=vision_layers, embed_dim=vision_width, num_heads=4, hidden_size=width, mlp_ratio=4)
    return Qwen2VLForConditionalGeneration(Qwen2VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"]))


def make_rows(folder, count, side):
    pixels = np.random.default_rng(0)
    rows = []
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as file:
        for i in range(count):
            image = Image.fromarray(pixels.integers(0, 255, (side, side, 3), dtype=np.uint8))
            image.save(folder / f"{i}.png")
            file.write(json.dumps({"image": f"{i}.png", "question": QUESTION}) + "\n")
            rows.append({"prompt": [{"role": "user", "content": QUESTION}], "image": image})
    return Dataset.from_list(rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("size", choices=SIZES)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--lora", action="store_true")
    for name, default in (("steps", 4), ("prompts", 4), ("group", 8), ("completion", 64), ("side", 224), ("threads", 2)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    o = arguments.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    random.seed(0)
    o.folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    model = make_model(o.size, ids)
    # A hair above side x side: at exactly that, rounding in the size rule may take a row of patches away.
    images = Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=o.side * o.side + o.side)
    for part in (model, tokenizer, images):
        part.save_pretrained(o.folder / "checkpoint")
    processor = Processor(image_processor=images, tokenizer=tokenizer, chat_template=TEMPLATE)
    peft = None
    if o.lora:
        from peft import LoraConfig

        linear = "q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj"
        peft = LoraConfig(r=16, lora_alpha=32, target_modules=rf".*language_model.*\.({linear})")
    config = GRPOConfig(
        output_dir=str(o.folder / "trl"), per_device_train_batch_size=o.prompts * o.group, num_generations=o.group,
        max_completion_length=o.completion, max_steps=o.steps, learning_rate=1e-6, beta=0.0, temperature=1.0,
        loss_type="grpo", report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no",
        disable_tqdm=True, generation_kwargs=dict(suppress_tokens=list(ids.values())))
    clock = Clock()
    GRPOTrainer(model=model, args=config, train_dataset=make_rows(o.folder, o.prompts * o.steps, o.side),
                reward_funcs=lambda completions, **_: [random.random() for _ in completions],
                processing_class=processor, callbacks=[clock], peft_config=peft).train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "step_seconds": clock.seconds,
                      "max_rss_gb": peak, "versions": {name: version(name) for name in ("torch", "transformers", "trl")}}))


if __name__ == "__main__":
    main()
