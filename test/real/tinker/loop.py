"""Drives a server of the Tinker API with the real SDK, prints what it saw as JSON: loop.py URL MODEL [CHECKPOINT]"""
import json
import os
import struct
import sys
import urllib.request
import warnings
import zlib

warnings.simplefilter("ignore")
os.environ |= {"TINKER_TELEMETRY": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
import tinker  # noqa: E402
from tinker import types  # noqa: E402

url, model = sys.argv[1:3]
key = os.environ.get("TINKER_API_KEY", "tml-none")
seen = {"version": tinker.__version__}


def done(value, timeout=120):
    """The result of a future; a client as it is: 0.25.0 returns clients, 0.38.0 futures of them."""
    if "Future" in type(value).__name__:
        return value.result(timeout=timeout)
    return value


def png(grey, side=56):
    rows = b"".join(b"\0" + bytes([grey]) * side for _ in range(side))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


service = tinker.ServiceClient(base_url=url, api_key=key)
seen["capabilities"] = [
    [one.model_name, one.max_context_length] for one in service.get_server_capabilities().supported_models
]
adam = types.AdamParams(learning_rate=5e-3, grad_clip_norm=1.0)
client = done(service.create_lora_training_client(base_model=model, rank=8, seed=7))
tokenizer = client.get_tokenizer()
before = tokenizer.encode("<|im_start|>user\n<|vision_start|>")
after = tokenizer.encode("<|vision_end|>The")


def prompt_of(grey, expected=4):
    image = types.ImageChunk(data=png(grey), format="png", expected_tokens=expected)
    chunks = [types.EncodedTextChunk(tokens=before), image, types.EncodedTextChunk(tokens=after)]
    return types.ModelInput(chunks=chunks)


def datum(prompt, tokens, **arrays):
    """The prompt and its completion, everything over the prompt zero."""
    zeros = prompt.length - 1
    floats = {name: [0.0] * zeros + [float(v) for v in values] for name, values in arrays.items()}
    size = [zeros + len(tokens)]
    inputs = {name: types.TensorData(data=v, dtype="float32", shape=size) for name, v in floats.items()}
    inputs["target_tokens"] = types.TensorData(data=[0] * zeros + list(tokens), dtype="int64", shape=size)
    whole = prompt.append(types.EncodedTextChunk(tokens=list(tokens[:-1]))) if len(tokens) > 1 else prompt
    return types.Datum(model_input=whole, loss_fn_inputs=inputs)


def numbers(tensor):
    return [float(x) for x in tensor.data]


def params(**given):
    return types.SamplingParams(**{"max_tokens": 6, "temperature": 1.0, "seed": 3, **given})


def snapshot(of):
    return done(of.save_weights_and_get_sampling_client())


def one_step(of):
    target = datum(prompts[0], [5, 6, 7], weights=[1, 1, 1])
    of.forward_backward([target], "cross_entropy").result(timeout=120)
    of.optim_step(adam).result(timeout=120)
    return numbers(of.forward([target], "cross_entropy").result(timeout=120).loss_fn_outputs[0]["logprobs"])


def leave():
    print(json.dumps(seen))
    sys.stdout.flush()
    os._exit(0)


prompts = [prompt_of(20), prompt_of(230)]
if len(sys.argv) > 3:
    resumed = done(service.create_training_client_from_state_with_optimizer(sys.argv[3]))
    seen["logprobs"] = one_step(resumed)
    leave()

# Reinforcement on two images, whose completions are rewarded for tokens of low numbers.
seen["prompt_tokens"] = prompts[0].length
rewards, differences = [], []
first = snapshot(client)
earlier = [list(s.tokens) for s in first.sample(prompts[0], 2, params()).result(timeout=120).sequences]
losses = ["importance_sampling", "ppo", "cispo"]
for step in range(9):
    sampler = snapshot(client)
    drawn = [sampler.sample(prompt, 8, params(seed=100 + step)).result(timeout=120) for prompt in prompts]
    datums, old, mean = [], [], 0.0
    for prompt, answer in zip(prompts, drawn):
        reward = [sum(t < 300 for t in s.tokens) / len(s.tokens) for s in answer.sequences]
        baseline = sum(reward) / len(reward)
        mean += baseline / len(prompts)
        for sequence, r in zip(answer.sequences, reward):
            n = len(sequence.tokens)
            datums.append(datum(prompt, sequence.tokens, logprobs=sequence.logprobs, advantages=[r - baseline] * n))
            old.append(sequence.logprobs)
    rewards.append(mean)
    future = client.forward_backward(datums, losses[step % 3])
    update = client.optim_step(adam)  # submitted before the first has its result
    result = future.result(timeout=120)
    seen.setdefault("grad_norm", update.result(timeout=120).metrics["grad_norm:mean"])
    for one, output, logprobs in zip(datums, result.loss_fn_outputs, old):
        own = numbers(output["logprobs"])
        assert len(own) == one.model_input.length, (len(own), one.model_input.length)
        differences += [abs(a - b) for a, b in zip(own[-len(logprobs) :], logprobs)]
seen |= {"rewards": rewards, "sampler_trainer_difference": max(differences)}
again = [list(s.tokens) for s in first.sample(prompts[0], 2, params()).result(timeout=120).sequences]
seen["snapshot_isolated"] = again == earlier

# A prompt's log-probs: one per token, of the weights that were saved.
scores = first.compute_logprobs(prompts[0]).result(timeout=120)
trained = snapshot(client).compute_logprobs(prompts[0]).result(timeout=120)
seen["prompt_logprobs"] = [len(scores), scores[0], max(abs(a - b) for a, b in zip(scores[1:], trained[1:])) > 0.01]


# Save, go on; resume from what was saved and go on alike.
state = client.save_state("ck1").result(timeout=120).path
went_on = one_step(client)
resumed = done(service.create_training_client_from_state_with_optimizer(state))
differences = [abs(a - b) for a, b in zip(went_on, one_step(resumed))]
without = done(service.create_training_client_from_state(state))
fresh = [abs(a - b) for a, b in zip(went_on, one_step(without))]
seen |= {"state": state, "logprobs": went_on, "resume_difference": max(differences), "without_moments_differ": max(fresh) > 1e-4}
named = client.save_weights_for_sampler("w1").result(timeout=120).path
by_path = done(service.create_sampling_client(model_path=named))
seen["by_path"] = len(by_path.sample(prompts[0], 1, params()).result(timeout=120).sequences[0].tokens)
base = done(service.create_sampling_client(base_model=model))
seen["base_equals_fresh"] = [
    list(s.tokens) for s in base.sample(prompts[0], 2, params()).result(timeout=120).sequences
] == earlier

# The archive of the saved adapter.
with urllib.request.urlopen(
    urllib.request.Request(
        url + "/api/v1/training_runs/" + named.removeprefix("tinker://").replace("/", "/checkpoints/", 1) + "/archive",
        headers={"x-api-key": key},
    )
) as answer:
    seen["archive"] = json.load(answer)["url"]

# Gradients add up, and belong to one model.
other = done(service.create_lora_training_client(base_model=model, rank=8, seed=9))
parts = [datum(p, [9, 10], weights=[1, 1]) for p in prompts]
still = types.AdamParams(learning_rate=0.0)


def norm(of, *calls):
    for call in calls:
        of.forward_backward(call, "cross_entropy").result(timeout=120)
    return of.optim_step(still).result(timeout=120).metrics["grad_norm:mean"]


client.forward_backward(parts, "cross_entropy").result(timeout=120)
client.forward(parts, "cross_entropy").result(timeout=120)
untouched = norm(other)
seen["gradients"] = {"twice": norm(other, parts[:1], parts[1:]), "once": norm(other, parts), "fresh": untouched}

# Images change what is said; a wrong count and other mistakes are refused with their reason.
sums = [
    client.forward([datum(prompt_of(grey), [5, 6], weights=[1, 1])], "cross_entropy").result(timeout=120).metrics
    for grey in (0, 255)
]
seen["image_difference"] = abs(sums[0]["loss:sum"] - sums[1]["loss:sum"])
plain = datum(prompts[0], [5, 6], weights=[1, 1])
far = datum(prompts[0], [5, 99999], weights=[1, 1])
short = types.Datum(model_input=prompts[0], loss_fn_inputs=plain.loss_fn_inputs)
wrong = types.Datum(model_input=prompt_of(0, 9), loss_fn_inputs=plain.loss_fn_inputs)
mistakes = {
    "count": lambda: client.forward_backward([wrong], "cross_entropy"),
    "length": lambda: client.forward_backward([short], "cross_entropy"),
    "loss": lambda: client.forward_backward([plain], "dro"),
    "vocabulary": lambda: client.forward_backward([far], "cross_entropy"),
    "missing": lambda: client.forward_backward([plain], "ppo"),
    "config": lambda: client.forward_backward([plain], "cross_entropy", {"beta": 1.0}),
    "context": lambda: first.sample(prompts[0], 1, params(max_tokens=5000)),
    "taken": lambda: client.save_state("ck1"),
    "unknown": lambda: service.create_training_client_from_state("tinker://session-x:train:0/weights/none"),
}
seen["errors"] = {}
for name, call in mistakes.items():
    try:
        done(call(), timeout=30)
        seen["errors"][name] = None
    except Exception as error:  # noqa: BLE001
        seen["errors"][name] = f"{type(error).__name__}: {error}"
seen["alive"] = one_step(client)[-1] < 0

# Stops: token ids end a sample, an empty list lets none end it, a text ends it where it is complete.
drawn = first.sample(prompts[0], 4, params(max_tokens=40)).result(timeout=120)
longest = max(drawn.sequences, key=lambda s: len(s.tokens))
cut = list(longest.tokens)[2]
ended = first.sample(prompts[0], 4, params(max_tokens=40, stop=[cut])).result(timeout=120)
endless = first.sample(prompts[0], 4, params(max_tokens=40, stop=[])).result(timeout=120)
seen["stops"] = {
    "natural": any(s.stop_reason == "stop" for s in drawn.sequences),
    "cut": any(s.stop_reason == "stop" and list(s.tokens)[-1] == cut for s in ended.sequences),
    "endless": [len(s.tokens) for s in endless.sequences],
}
leave()
