def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """custom_reward_function of verl, for its reward managers that ask for one completion at a time."""
    return compute_scores([data_source], [solution_str], [ground_truth], [extra_info])[0]


def compute_scores(data_sources, solution_strs, ground_truths, extra_infos=None, **_):
    """The same for the reward manager "batch", which rewards that compare completions need."""
    rows = []
    extras = [None] * len(solution_strs) if extra_infos is None else extra_infos  # an array of numpy
    for text, truth, extra in zip(solution_strs, ground_truths, extras):
        columns = known_columns(extra or {})
        columns.pop("answer", None)
        rows.append({**columns, "completion": text, "reference": truth})
    return [_as_verl(one) for one in score(rows)]


def _as_verl(result):
    parts = {f"viva/{name}": float("nan") if value is None else value for name, value in result["components"].items()}
    return {"score": number_of(result), **parts}
