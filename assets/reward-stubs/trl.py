def viva_reward(completions, prompts=None, trainer_state=None, log_metric=None, **columns):
    """A reward function of TRL: GRPOTrainer(reward_funcs=[viva_reward], …). Logs the mean of each part as viva/<name>."""
    rows = rows_of(completions, columns)
    for row, prompt in zip(rows, prompts or []):
        row.setdefault("question", text_of(prompt))
    results = score(rows, None if trainer_state is None else trainer_state.global_step)
    if log_metric is not None:
        for name in results[0]["components"]:
            known = [one["components"][name] for one in results if one["components"][name] is not None]
            if known:
                log_metric(f"viva/{name}", sum(known) / len(known))
    return [one["reward"] for one in results]
