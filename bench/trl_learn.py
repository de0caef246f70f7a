"""Tunes viva-tiny-instruct with TRL's GRPOTrainer as bench/learn.yaml says, on the same questions and by the same rewards.

needs: torch (a CPU build), transformers>=5, trl>=1.13, accelerate, datasets, pillow
usage: python bench/trl_learn.py CHECKPOINT WORK OUT SEED STEPS EVERY

Reads WORK/data/train-prompts.jsonl, asks the command in $REWARDS for scores (bench/learn-rewards.ts), writes
OUT/step-NNNNNN every EVERY steps and OUT/log.json: seconds of each step, checkpoints aside, and mean rewards.
Image tokens are suppressed while TRL samples, as viva bans them. The tokenizer pads on the left, else transformers 5
misplaces the positions of image tokens.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from datasets import Dataset
from PIL import Image
from transformers import (AutoTokenizer, Qwen2VLForConditionalGeneration, Qwen2VLImageProcessorPil, Qwen2VLProcessor,
                          TrainerCallback)
from trl import GRPOConfig, GRPOTrainer

checkpoint, work, out = map(Path, sys.argv[1:4])
seed, steps, every = map(int, sys.argv[4:7])
torch.manual_seed(seed)
PROMPTS, GROUP, LENGTH = 12, 8, 80


class Processor(Qwen2VLProcessor):
    def check_argument_for_proper_class(self, *args, **kwargs):  # it takes no image processor without torchvision
        return None


tokenizer = AutoTokenizer.from_pretrained(checkpoint, padding_side="left")
images = Qwen2VLImageProcessorPil.from_pretrained(checkpoint)
processor = Processor(image_processor=images, tokenizer=tokenizer, chat_template=tokenizer.chat_template)
model = Qwen2VLForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32)

rows = [json.loads(line) for line in (work / "data/train-prompts.jsonl").read_text().splitlines()]
data = Dataset.from_list([
    {"prompt": [{"role": "user", "content": row["prompt"]}], "image": Image.open(work / "data" / row["image"]),
     "example": row["id"]} for row in rows])

scorer = subprocess.Popen(shlex.split(os.environ["REWARDS"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def text_of(completion):
    content = completion if isinstance(completion, str) else completion[0]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def reward(name):
    def score(completions, example, **_):
        scorer.stdin.write(json.dumps({"ids": example, "texts": [text_of(c) for c in completions]}) + "\n")
        scorer.stdin.flush()
        return json.loads(scorer.stdout.readline())[name]
    score.__name__ = name
    return score


class Clock(TrainerCallback):
    seconds = []
    started = 0.0

    def on_step_begin(self, *args, **kwargs):
        self.started = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        self.seconds.append(time.perf_counter() - self.started)
        if state.global_step % every == 0:
            save(out / f"step-{state.global_step:06d}")


def save(folder):
    model.save_pretrained(folder)
    for path in checkpoint.iterdir():
        if path.suffix != ".safetensors" and path.name != "config.json":
            shutil.copy(path, folder / path.name)


banned = [tokenizer.convert_tokens_to_ids(t) for t in ("<|image_pad|>", "<|video_pad|>", "<|vision_pad|>")]
config = GRPOConfig(
    output_dir=str(out / "trl"), seed=seed, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[],
    per_device_train_batch_size=PROMPTS * GROUP, num_generations=GROUP, max_completion_length=LENGTH, max_steps=steps,
    learning_rate=1e-4, lr_scheduler_type="constant_with_warmup", warmup_steps=5, weight_decay=0.0, max_grad_norm=1.0,
    adam_beta1=0.9, adam_beta2=0.999, beta=0.0, temperature=1.0, top_p=1.0, top_k=0, loss_type="grpo",
    scale_rewards="group", reward_weights=[1.0, 0.5], save_strategy="no", logging_steps=1, disable_tqdm=True,
    generation_kwargs={"suppress_tokens": [token for token in banned if token is not None]})
trainer = GRPOTrainer(model=model, args=config, train_dataset=data, reward_funcs=[reward("accuracy"), reward("format")],
                      processing_class=processor, callbacks=[Clock()])
trainer.train()
history = [entry for entry in trainer.state.log_history if "reward" in entry]
log = {"step_seconds": Clock.seconds, "reward": [entry["reward"] for entry in history],
       "zero_std_fraction": [entry.get("frac_reward_zero_std") for entry in history],
       "versions": {name: version(name) for name in ("torch", "transformers", "trl")}}
(out / "log.json").write_text(json.dumps(log))
scorer.stdin.close()
