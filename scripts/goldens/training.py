"""Writes what torch's AdamW (with gradient-norm clipping) and transformers' learning-rate schedules compute.

needs: torch, transformers>=5, numpy (versions as in scripts/goldens/qwen2_vl.py)
usage: python scripts/goldens/training.py test/golden/training.json

adamw: hyper-parameters; initial values and shapes; per step the raw gradients, their global norm before clipping and the
       parameters after the step. weight_decay is per tensor. clip_grad_norm_ scales by min(1, max_norm / (norm + 1e-6)).
schedules: multipliers[i] of the learning rate used by optimiser step i + 1.
All values are float32.
"""

import argparse
from pathlib import Path

import torch
from qwen_vl import versions, write_json
from transformers import get_scheduler

LEARNING_RATE, BETAS, EPS, MAX_NORM = 1e-2, (0.9, 0.999), 1e-8, 1.0
WEIGHT_DECAY = {"matrix": 0.1, "vector": 0.0}
GRADIENT_SCALES = [3.0, 0.05, 0.6, 1e-4, 1.0]  # some steps are clipped, some are not
STEPS, WARMUP = 20, 3


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    out = arguments.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    names = ["constant", "constant_with_warmup", "linear", "cosine"]
    write_json(out, {"versions": versions(), "adamw": adamw(),
                     "schedules": {"steps": STEPS, "warmup_steps": WARMUP, "multipliers": {name: multipliers(name) for name in names}}})


def adamw():
    generator = torch.Generator().manual_seed(11)
    shapes = {"matrix": (3, 4), "vector": (5,)}
    parameters = {name: torch.nn.Parameter(torch.randn(shape, generator=generator)) for name, shape in shapes.items()}
    optimiser = torch.optim.AdamW([{"params": [p], "weight_decay": WEIGHT_DECAY[name]} for name, p in parameters.items()],
                                  lr=LEARNING_RATE, betas=BETAS, eps=EPS)
    initial, steps = flat(parameters), []
    for scale in GRADIENT_SCALES:
        gradients = {name: scale * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        for name, parameter in parameters.items():
            parameter.grad = gradients[name].clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_NORM)
        optimiser.step()
        steps.append({"gradients": flat(gradients), "gradient_norm": norm.item(), "parameters": flat(parameters)})
    assert len({step["gradient_norm"] > MAX_NORM for step in steps}) == 2
    return {"learning_rate": LEARNING_RATE, "betas": BETAS, "eps": EPS, "max_norm": MAX_NORM, "weight_decay": WEIGHT_DECAY,
            "shapes": shapes, "initial": initial, "steps": steps}


def multipliers(name):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(name, optimiser, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    values = []
    for _ in range(STEPS):
        values.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    return values


def flat(tensors):
    return {name: tensor.detach().flatten().tolist() for name, tensor in tensors.items()}


if __name__ == "__main__":
    main()
