"""Opens reward models that viva saved, as users of transformers and PEFT would, and scores the same completions; and what TRL's
RewardTrainer makes of given scores.

needs: torch, transformers, peft, trl
usage: python reward_model.py CASE ANSWER

CASE    JSON: base, full and adapter (folders), rows [{prompt_ids, completion_ids, patches, grid}] with patches null without an
        image, losses [{chosen, rejected, margin, center}]
ANSWER  JSON: full and adapter (a score per row), batched (full, all rows padded), losses [{loss, chosen, rejected}]: loss and
        its gradient by the scores, accuracy, margin
"""

import json
import os
import sys
from collections import defaultdict
from types import SimpleNamespace

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, Qwen2VLConfig, Qwen2VLPreTrainedModel
from transformers.modeling_layers import GenericForSequenceClassification
from trl import RewardTrainer

PAD = 399


class Qwen2VLForSequenceClassification(GenericForSequenceClassification, Qwen2VLPreTrainedModel):
    pass


AutoModelForSequenceClassification.register(Qwen2VLConfig, Qwen2VLForSequenceClassification, exist_ok=True)


def main():
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    case = json.load(open(sys.argv[1]))
    full, info = AutoModelForSequenceClassification.from_pretrained(
        case["full"], dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    # Files as on the Hub have older names, which transformers renames for the classes it knows alone.
    names = {r"^visual": "model.visual", r"^model(?!\.(language_model|visual))": "model.language_model"}
    base = AutoModelForSequenceClassification.from_pretrained(
        case["base"], num_labels=1, key_mapping=names, dtype=torch.float32, attn_implementation="eager")
    adapter = PeftModel.from_pretrained(base, case["adapter"])
    answer = {
        "full": [score(full.eval(), row) for row in case["rows"]],
        "batched": batched(full, [row for row in case["rows"] if row["patches"] is None]),
        "adapter": [score(adapter.eval(), row) for row in case["rows"]],
        "losses": [trl_loss(**loss) for loss in case["losses"]],
    }
    json.dump(answer, open(sys.argv[2], "w"))


@torch.no_grad()
def score(model, row):
    ids = torch.tensor([row["prompt_ids"] + row["completion_ids"]])
    is_image = (ids == model.config.image_token_id).int()
    images = {}
    if row["patches"] is not None:
        patches = torch.tensor(row["patches"])
        rows = row["grid"][0] * row["grid"][1] * row["grid"][2]
        images = {"pixel_values": patches.reshape(rows, -1), "image_grid_thw": torch.tensor([row["grid"]])}
    out = model(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=is_image, use_cache=False, **images)
    return out.logits[0, 0].item()


@torch.no_grad()
def batched(model, rows):
    model.config.get_text_config().pad_token_id = PAD
    all_ids = [row["prompt_ids"] + row["completion_ids"] for row in rows]
    longest = max(map(len, all_ids))
    ids = torch.tensor([own + [PAD] * (longest - len(own)) for own in all_ids])
    mask = torch.tensor([[1] * len(own) + [0] * (longest - len(own)) for own in all_ids])
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, 0].tolist()


def trl_loss(chosen, rejected, margin, center):
    scores = torch.tensor(chosen + rejected, dtype=torch.float64, requires_grad=True)
    accelerator = SimpleNamespace(gather=lambda t: t, gather_for_metrics=lambda t: t)
    model = Given(scores)
    self = SimpleNamespace(model=model, args=SimpleNamespace(center_rewards_coefficient=center or None), accelerator=accelerator,
                           _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1)
    inputs = {"attention_mask": torch.ones(len(scores), 1)}
    if margin:
        inputs["margin"] = torch.full((len(chosen),), margin, dtype=torch.float64)
    loss = RewardTrainer.compute_loss(self, model, inputs)
    loss.backward()
    metrics = self._metrics["train"]
    gradient = scores.grad.tolist()
    return {"loss": loss.item(), "chosen": gradient[: len(chosen)], "rejected": gradient[len(chosen) :],
            "accuracy": metrics["accuracy"][0], "margin": metrics["margin"][0]}


class Given:
    """A model in training that gives these scores."""

    training = True

    def __init__(self, scores):
        self.scores = scores

    def __call__(self, **_):
        return SimpleNamespace(logits=self.scores[:, None])


main()
