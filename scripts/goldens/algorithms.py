"""Writes what TRL's own trainers compute from random tensors: advantages, losses, gradients and metrics.

needs: torch, trl (versions are stored)
usage: python scripts/goldens/algorithms.py test/golden/trl.json

The methods of GRPOTrainer, RLOOTrainer and DPOTrainer are called on a namespace that holds what they read of a trainer; only the
model's forward pass, generation and reward functions are replaced, by given tensors. All in float64.

losses:     per case the options, the loss, its gradient by the logits [B, T, V] and the logged metrics, over one set of inputs:
            logits, token ids, old and reference log-probs, advantages, mask. The lengths differ, one completion is masked.
rloo:       an on-policy loss of RLOOTrainer over the same inputs, and its gradient by the logits.
advantages: rewards [completions, rewards] with nulls, weights, and per case the advantages.
dpo:        summed log-probs, reference log-probs, loss, gradient by the log-probs, metrics.
"""

import argparse
import json
import platform
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers
import trl
from trl import DPOTrainer, GRPOTrainer, RLOOTrainer

torch.set_default_dtype(torch.float64)
GENERATOR = torch.Generator().manual_seed(7)
B, T, V = 6, 5, 4
LENGTHS = [5, 2, 4, 1, 3, 5]
MASKED = 5  # its completion was cut: it has tokens, and a mask of zeros
MAX_LENGTH = 8
ROLLOUT_TOKENS = 27  # of a rollout of two optimiser steps, of which the inputs are one


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    inputs = make_inputs()
    record = {
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
                     "trl": trl.__version__},
        "inputs": {**{key: rounded(value) for key, value in inputs.items()}, "lengths": LENGTHS, "masked": MASKED,
                   "max_completion_length": MAX_LENGTH, "rollout_tokens": ROLLOUT_TOKENS},
        "losses": [grpo_case(inputs, case) for case in cases()],
        "rloo": rloo_case(inputs),
        "advantages": advantage_cases(),
        "dpo": dpo_case(),
    }
    lines = []
    for key, value in record.items():
        inner = ",\n".join("    " + json.dumps(item) for item in value) if key == "losses" else None
        lines.append(f"  {json.dumps(key)}: " + (f"[\n{inner}\n  ]" if inner else json.dumps(value)))
    arguments.parse_args().out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def make_inputs():
    logits = 1.5 * normal(B, T, V)
    ids = torch.randint(0, V, (B, T), generator=GENERATOR)
    logps = gathered(logits, ids)
    old = logps + 0.35 * normal(B, T)
    old[0, 0] = logps[0, 0]  # a ratio of exactly 1
    old[2, 1] = logps[2, 1] - 1.9  # beyond every cap but cispo's
    old[1, 0] = logps[1, 0] - 2.2
    mask = torch.tensor([[float(t < length and i != MASKED) for t in range(T)] for i, length in enumerate(LENGTHS)])
    return {"logits": logits, "ids": ids, "old": old, "reference": logps + 0.5 * normal(B, T),
            "advantages": torch.tensor([1.3, -0.7, 0.9, 0.0, -1.6, 2.0]), "mask": mask}


def cases():
    averages = ["grpo", "bnpo", "dapo", "dr_grpo"]
    for loss_type in averages:
        yield dict(loss_type=loss_type)
        yield dict(loss_type=loss_type, on_policy=True)
        yield dict(loss_type=loss_type, importance_sampling_level="sequence", epsilon=3e-2, epsilon_high=4e-2)
    yield dict(loss_type="grpo", on_policy=True, importance_sampling_level="sequence")
    yield dict(loss_type="grpo", epsilon=0.1, epsilon_high=0.28)
    yield dict(loss_type="grpo", delta=2.0)
    yield dict(loss_type="dr_grpo", delta=1.5, epsilon=0.05, epsilon_high=0.4)
    for loss_type in averages:
        yield dict(loss_type=loss_type, beta=0.3)
    yield dict(loss_type="grpo", beta=0.3, importance_sampling_level="sequence")
    for loss_type, more in (("cispo", dict(epsilon_high=5.0)), ("cispo", dict(epsilon_high=1.2)), ("sapo", {}),
                            ("sapo", dict(sapo_temperature_pos=2.0, sapo_temperature_neg=0.7))):
        yield dict(loss_type=loss_type, **more)
        yield dict(loss_type=loss_type, on_policy=True, **more)
        yield dict(loss_type=loss_type, importance_sampling_level="sequence", beta=0.1, **more)
    for loss_type in ["grpo", "dr_grpo", "cispo"]:
        yield dict(loss_type=loss_type, entropy_coef=0.05, epsilon_high=0.3)
    yield dict(loss_type="dapo", two_steps=True)
    yield dict(loss_type="bnpo", two_steps=True)
    yield dict(loss_type="cispo", two_steps=True, epsilon_high=5.0)


def grpo_case(inputs, case):
    options = dict(importance_sampling_level="token", epsilon=0.2, epsilon_high=None, delta=None, beta=0.0, entropy_coef=0.0,
                   sapo_temperature_pos=1.0, sapo_temperature_neg=1.05, on_policy=False, two_steps=False) | case
    logits = inputs["logits"].clone().requires_grad_()
    tokens = inputs["mask"].sum()
    self = trainer(logits, inputs["ids"], loss_type=options["loss_type"], beta=options["beta"],
                   importance_sampling_level=options["importance_sampling_level"], epsilon_low=options["epsilon"],
                   epsilon_high=options["epsilon"] if options["epsilon_high"] is None else options["epsilon_high"],
                   entropy_coef=options["entropy_coef"], _entropy_bonus_enabled=options["entropy_coef"] > 0)
    self.args = SimpleNamespace(delta=options["delta"], use_bias_correction_kl=False, steps_per_generation=2 if options["two_steps"] else 1,
                                sapo_temperature_pos=options["sapo_temperature_pos"], sapo_temperature_neg=options["sapo_temperature_neg"])
    batch = common(inputs) | {"advantages": inputs["advantages"], "ref_per_token_logps": inputs["reference"],
                              "num_items_in_batch": torch.tensor(float(ROLLOUT_TOKENS)) if options["two_steps"] else tokens}
    if not options["on_policy"]:
        batch["old_per_token_logps"] = inputs["old"]
    loss = GRPOTrainer._compute_loss(self, None, batch)
    loss.backward()
    metrics = {key: values[0] for key, values in self._metrics["train"].items()}
    return {"options": options, "loss": loss.item(), "gradient": rounded(logits.grad), "metrics": metrics}


def rloo_case(inputs):
    logits = inputs["logits"].clone().requires_grad_()
    self = trainer(logits, inputs["ids"], epsilon_low=0.2, epsilon_high=0.2)
    old = (gathered(inputs["logits"], inputs["ids"]) * inputs["mask"]).sum(1)
    loss = RLOOTrainer._compute_loss(self, None, common(inputs) | {"advantages": inputs["advantages"], "old_logps": old})
    loss.backward()
    return {"gradient": rounded(logits.grad)}


def trainer(logits, ids, **attributes):
    """What the loss methods read of a trainer whose model gives these logits."""

    def score(*_, **__):
        return gathered(logits, ids), entropies(logits), None

    return SimpleNamespace(
        _get_per_token_logps_and_entropies=score, aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None,
        use_vllm=False, model=Model(), current_gradient_accumulation_steps=1, use_adaptive_entropy=False,
        max_completion_length=MAX_LENGTH, accelerator=alone(), _metrics={"train": defaultdict(list)}, **attributes)


class Model(torch.nn.Module):
    """Stands where a model is asked how it is, never what it computes."""

    is_gradient_checkpointing = False


def alone():
    """An accelerator of one process."""
    return SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"), sync_gradients=True,
                           reduce=lambda x, reduction: x, gather=lambda x: x, gather_for_metrics=lambda x: x)


def common(inputs):
    nothing = torch.zeros(B, 0, dtype=torch.long)
    return {"prompt_ids": nothing, "prompt_mask": nothing, "completion_ids": inputs["ids"], "completion_mask": inputs["mask"]}


def advantage_cases():
    nan = float("nan")
    rewards = torch.tensor([[1, 0.2], [0, 0.9], [1, 0.4], [0, 0.1], [0.5, 0.3], [0.5, 0.3], [0.5, 0.3], [0.5, 0.3],
                            [nan, 0.8], [1, nan], [nan, nan], [0, -0.4], [1, 1], [0, 1], [0, 1], [0, 1]])
    weights = torch.tensor([1.0, 0.5])
    found = {scale: advantages(GRPOTrainer, rewards, weights, scale_rewards=scale,
                               multi_objective_aggregation="sum_then_normalize") for scale in ["group", "batch", "none"]}
    found["multi_objective"] = advantages(GRPOTrainer, rewards, weights, scale_rewards="none",
                                          multi_objective_aggregation="normalize_then_sum")
    found["rloo"] = advantages(RLOOTrainer, rewards, weights, normalize_advantages=False)
    plain = [[None if r != r else r for r in row] for row in rewards.tolist()]
    return {"rewards": plain, "weights": weights.tolist(), "num_generations": 4, "found": found}


def advantages(cls, rewards, weights, **options):
    """Runs a trainer's whole scoring method on completions of one token that were not generated."""
    count = len(rewards)
    ids = [[1]] * count
    generated = {GRPOTrainer: (ids, ids, None, [""] * count, None, {}, None, []), RLOOTrainer: (ids, ids, [""] * count)}[cls]
    self = SimpleNamespace(
        accelerator=alone(), model=Model(), environment_factories=None, environments=None, tools=None,
        rollout_func=None, _is_vlm=False, _tokenizer=SimpleNamespace(pad_token_id=0), pad_to_multiple_of=None, eos_token_ids=[1],
        mask_truncated_completions=False, use_vllm=False, beta=0.0, num_iterations=1, num_generations=4, aux_loss_enabled=False,
        args=SimpleNamespace(per_device_train_batch_size=count, steps_per_generation=1, gradient_accumulation_steps=1,
                             gradient_checkpointing_kwargs=None, gradient_checkpointing=False),
        reward_weights=weights, reward_funcs=[None] * 2, reward_func_names=["a", "b"], reward_clip_range=None,
        _generate=lambda prompts: generated, _calculate_rewards=lambda *_: rewards.clone(), _metrics={"train": defaultdict(list)},
        _get_per_token_logps_and_entropies=lambda *_, **__: (torch.zeros(count, 1), None, None),
        _logs=defaultdict(list, rewards=defaultdict(list), extra=defaultdict(list)), _pending_extra_logs={}, _pending_metrics={},
        log_multimodal=False, **options)
    return rounded(cls._generate_and_score_completions(self, [{"prompt": "?"}] * count)["advantages"])


def dpo_case():
    pairs, tokens, beta = 3, 4, 0.3
    lengths = [4, 2, 3, 1, 4, 3]  # chosen, then rejected
    mask = torch.tensor([[0.0] + [float(t < length) for t in range(tokens)] for length in lengths])
    own = (normal(2 * pairs, tokens) - 1) * mask[:, 1:]
    reference = (normal(2 * pairs, tokens) - 1) * mask[:, 1:]
    own.requires_grad_()

    def model(log_probs):
        zeros = torch.zeros_like(log_probs)
        return lambda **_: SimpleNamespace(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())

    policy = Model()
    self = SimpleNamespace(model=policy, ref_model=model(reference), accelerator=alone(), aux_loss_enabled=False, ld_alpha=None,
                           precompute_ref_logps=False, f_divergence_type="reverse_kl", loss_types=["sigmoid"], loss_weights=[1.0],
                           beta=beta, use_weighting=False, _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
                           args=SimpleNamespace(gradient_checkpointing_kwargs=None))
    ids = torch.zeros(2 * pairs, tokens + 1, dtype=torch.long)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask.long()}
    loss = DPOTrainer._compute_loss(self, model(own), inputs, False)
    loss.backward()
    keys = ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins"]
    return {"beta": beta, "lengths": lengths, "log_probs": rounded(own), "reference": rounded(reference), "loss": loss.item(),
            "gradient": rounded(own.grad), "metrics": {key: self._metrics["train"][key][0] for key in keys}}


def gathered(logits, ids):
    return logits.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def entropies(logits):
    logps = logits.log_softmax(-1)
    return -(logps.exp() * logps).sum(-1)


def normal(*shape):
    """Few digits, so that what is stored is what was computed with."""
    return torch.randn(shape, generator=GENERATOR).mul(1e4).round().div(1e4)


def rounded(tensor):
    return json.loads(json.dumps(tensor.tolist()), parse_float=lambda text: float(f"{float(text):.12g}"))


if __name__ == "__main__":
    main()
