from swift.rewards import ORM, orms


class VivaReward(ORM):
    """A reward of ms-swift: --external_plugins THIS_FILE --reward_funcs viva."""

    def __call__(self, completions, trainer_state=None, **columns):
        turns = columns.pop("response_token_ids", None)
        if turns is not None:
            columns["completion_ids"] = [sum(one, []) or None for one in turns]
        rows = rows_of(completions, columns)
        results = score(rows, None if trainer_state is None else trainer_state.global_step)
        return [one["reward"] for one in results]


orms["viva"] = VivaReward
