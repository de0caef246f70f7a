"""Ten steps of TRL's GRPOTrainer on viva's rewards: trl_rewards.py STUB MODEL ROWS OUT.

ROWS is JSONL of {prompt, image, answer, …}. OUT gets what the stub was called with and gave, and what TRL logged.
"""

import importlib.util
import json
import sys

import torch
from datasets import Dataset, Image
from transformers import AutoTokenizer, Qwen2VLForConditionalGeneration, Qwen2VLImageProcessorPil, Qwen2VLProcessor
from trl import GRPOConfig, GRPOTrainer

stub_file, model_folder, rows_file, out = sys.argv[1:]
torch.manual_seed(7)
torch.set_num_threads(2)

spec = importlib.util.spec_from_file_location("viva_rewards", stub_file)
stub = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stub)


class Processor(Qwen2VLProcessor):  # without videos, whose processor would need torchvision
    def check_argument_for_proper_class(self, *_, **__):
        return None


tokenizer = AutoTokenizer.from_pretrained(model_folder)
images = Qwen2VLImageProcessorPil.from_pretrained(model_folder)
processor = Processor(
    image_processor=images, tokenizer=tokenizer, video_processor=None, chat_template=tokenizer.chat_template
)
model = Qwen2VLForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32)

with open(rows_file) as file:
    rows = [json.loads(line) for line in file]
for row in rows:
    row["prompt"] = [{"role": "user", "content": row["prompt"]}]
data = Dataset.from_list(rows).cast_column("image", Image())

calls = []


def viva_reward(completions, **columns):
    rewards = stub.viva_reward(completions, **columns)
    ids = columns["id"]
    texts = [stub.text_of(completion) for completion in completions]
    calls.append([list(each) for each in zip(ids, texts, columns["completion_ids"], rewards)])
    return rewards


args = GRPOConfig(
    output_dir=out + ".trl",
    per_device_train_batch_size=4,
    num_generations=2,
    max_completion_length=40,
    max_steps=10,
    learning_rate=1e-4,
    logging_steps=1,
    report_to=[],
    use_cpu=True,
    bf16=False,
    gradient_checkpointing=False,
    save_strategy="no",
    seed=7,
)
trainer = GRPOTrainer(
    model=model, reward_funcs=[viva_reward], args=args, train_dataset=data, processing_class=processor
)
trainer.train()

stub.URL = "http://127.0.0.1:9"
try:
    stub.viva_reward(["yes"], solution=["yes"])
    failure = None
except stub.VivaRewardError as error:
    failure = str(error)
try:
    stub.viva_reward(["yes"], label=["yes"])
    lacking = None
except stub.VivaRewardError as error:
    lacking = str(error)
with open(out, "w") as file:
    record = {"steps": trainer.state.global_step, "calls": calls, "logs": trainer.state.log_history}
    json.dump({**record, "failure": failure, "lacking": lacking}, file)
