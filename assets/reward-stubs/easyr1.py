REWARD_NAME = "viva"
REWARD_TYPE = "batch"


def compute_score(reward_inputs, **_):
    """worker.reward.reward_function of EasyR1: a list of completions (reward_type batch), or one (sequential)."""
    if isinstance(reward_inputs, dict):
        return compute_score([reward_inputs])[0]
    rows = [{"completion": one["response"], "reference": one["ground_truth"]} for one in reward_inputs]
    return [_as_easyr1(one) for one in score(rows)]


def _as_easyr1(result):
    parts = {name: float("nan") if value is None else value for name, value in result["components"].items()}
    return {**parts, "overall": number_of(result)}
