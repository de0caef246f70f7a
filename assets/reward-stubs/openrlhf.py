def reward_func(queries, prompts, labels, **_):
    """A reward function of OpenRLHF: --reward.remote_url THIS_FILE. A label is the answer, or the JSON of columns."""
    import torch

    answer = post("/get_reward", {"query": queries, "prompts": prompts, "labels": labels})
    logs = {f"viva/{name}": torch.tensor(values) for name, values in answer["extra_logs"].items()}
    return {"rewards": torch.tensor(answer["rewards"]), "scores": torch.tensor(answer["scores"]), "extra_logs": logs}
