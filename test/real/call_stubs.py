"""Calls each stub as its trainer does: call_stubs.py FOLDER. Prints JSON by tool: what came back, and through what.

Where the trainer's package can be imported, its own interface makes the call; else the documented signature does.
"""

import asyncio
import importlib.util
import json
import math
import sys

folder = sys.argv[1]
GOOD = "<think>The left side is dense.</think><answer>left lung</answer>"
BAD = "<answer>right lung</answer>"
TRUTH = json.dumps({"answer": "left lung", "options": ["left lung", "right lung"]})


def stub(tool):
    spec = importlib.util.spec_from_file_location(f"viva_{tool}", f"{folder}/{tool}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verl():
    module = stub("verl")
    try:
        import torch
        from verl import DataProto
        from verl.workers.reward_manager.batch import BatchRewardManager
    except ImportError as error:
        both = module.compute_scores(["x", "x"], [GOOD, BAD], [TRUTH, TRUTH], [{"id": 1}, {"id": 2}])
        return {"through": f"the signature ({error})", "rewards": [one["score"] for one in both]}
    tokens = Characters()
    responses = tokens.batch([GOOD, BAD])
    prompts = torch.zeros((2, 1), dtype=torch.long)
    mask = torch.cat([torch.ones_like(prompts), (responses > 0).long()], dim=1)
    data = DataProto.from_dict(
        tensors={"prompts": prompts, "responses": responses, "attention_mask": mask},
        non_tensors={
            "reward_model": objects([{"ground_truth": TRUTH}, {"ground_truth": TRUTH}]),
            "data_source": objects(["x", "x"]),
            "extra_info": objects([{"id": 1}, {"id": 2}]),
        },
    )
    manager = BatchRewardManager(tokens, 0, module.compute_scores)
    given = manager(data, return_dict=True)
    return {
        "through": "verl.workers.reward_manager.batch.BatchRewardManager",
        "rewards": given["reward_tensor"].sum(dim=1).tolist(),
        "accuracy": list(given["reward_extra_info"]["viva/accuracy"]),
    }


def easyr1():
    rows = [{"response": text, "response_length": 9, "ground_truth": TRUTH} for text in (GOOD, BAD)]
    module = stub("easyr1")
    both = module.compute_score(rows, **{})
    assert module.compute_score(rows[0])["overall"] == both[0]["overall"]
    return {"through": "the signature (EasyR1 is not on PyPI)", "rewards": [one["overall"] for one in both]}


def swift():
    try:
        from swift.rewards import orms
        stub("swift")
        reward, through = orms["viva"](), "swift.rewards.orms"
    except ImportError as error:
        return {"through": f"not called ({error})", "rewards": None}
    columns = {"answer": ["left lung"] * 2, "options": [["left lung", "right lung"]] * 2, "id": [1, 2]}
    rewards = reward([GOOD, BAD], response_token_ids=[[[1, 2]], []], finish_reason=["stop", None], **columns)
    return {"through": through, "rewards": rewards}


def openrlhf():
    query = ["Q?" + GOOD, "Q?" + BAD]
    module = stub("openrlhf")
    try:
        from openrlhf.utils.agent import SingleTurnAgentExecutor
    except ImportError as error:
        given = module.reward_func(query, ["Q?"] * 2, [TRUTH] * 2)
        return {"through": f"the signature ({error})", "rewards": given["rewards"].tolist()}
    by_file = SingleTurnAgentExecutor(f"{folder}/openrlhf.py")
    by_http = SingleTurnAgentExecutor(module.URL + "/get_reward")
    one = asyncio.run(by_file._fetch_rewards_via_func(query, ["Q?"] * 2, [TRUTH] * 2))
    two = asyncio.run(by_http._fetch_rewards_via_http(query, ["Q?"] * 2, [TRUTH] * 2))
    rewards = [given["rewards"].item() for given in one]
    assert two[0]["rewards"] == rewards
    return {"through": "openrlhf.utils.agent.SingleTurnAgentExecutor, by file and by HTTP", "rewards": rewards}


def nemo_gym():
    """Its package needs Python 3.12 and a hundred others, so that its documented classes stand here in its place."""
    import types

    from pydantic import BaseModel

    class BaseVerifyRequest(BaseModel):
        responses_create_params: dict
        response: dict

    class BaseVerifyResponse(BaseVerifyRequest):
        reward: float

    class BaseResourcesServerConfig(BaseModel):
        pass

    class SimpleResourcesServer(BaseModel):
        config: BaseResourcesServerConfig

    base = types.ModuleType("nemo_gym.base_resources_server")
    for each in (BaseVerifyRequest, BaseVerifyResponse, BaseResourcesServerConfig, SimpleResourcesServer):
        setattr(base, each.__name__, each)
    sys.modules["nemo_gym"] = types.ModuleType("nemo_gym")
    sys.modules["nemo_gym.base_resources_server"] = base
    module = stub("nemo_gym")
    server = module.VivaResourcesServer(config=BaseResourcesServerConfig())
    given = [asyncio.run(server.verify(module.VivaVerifyRequest(**nemo_gym_rollout(text)))) for text in (GOOD, BAD)]
    assert given[0].model_dump()["expected_answer"] == "left lung"
    return {
        "through": "the documented classes of 0.4.0",
        "rewards": [one.reward for one in given],
        "accuracy": [one.reward_components["accuracy"] for one in given],
    }


def nemo_gym_rollout(text):
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": content}
    response = {
        "id": "r",
        "created_at": 0,
        "model": "m",
        "object": "response",
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
    }
    asked = {"input": [{"role": "user", "content": "Which lung?"}]}
    columns = {"expected_answer": "left lung", "options": ["left lung", "right lung"]}
    return {"responses_create_params": asked, "response": response, **columns}


class Characters:
    """A tokenizer of one token per character."""

    def batch(self, texts):
        import torch

        rows = [torch.tensor([ord(letter) for letter in text]) for text in texts]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def decode(self, ids, skip_special_tokens=True):
        return "".join(chr(one) for one in ids.tolist() if one > 0)


def objects(values):
    import numpy

    array = numpy.empty(len(values), dtype=object)
    array[:] = values
    return array


tools = {"verl": verl, "easyr1": easyr1, "swift": swift, "openrlhf": openrlhf, "nemo_gym": nemo_gym}
found = {name: tools[name]() for name in sys.argv[2:]}
assert not any(isinstance(one, float) and math.isnan(one) for each in found.values() for one in each["rewards"] or [])
print(json.dumps(found))
