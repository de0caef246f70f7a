"""Small programs of a Tinker SDK's user, on text alone; prints what each saw as JSON: programs.py URL MODEL"""
import json
import os
import pickle
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore")
os.environ |= {"TINKER_TELEMETRY": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
import tinker  # noqa: E402
from tinker import types  # noqa: E402

url, model = sys.argv[1:3]
key = os.environ.get("TINKER_API_KEY", "tml-none")
newer = tinker.__version__ != "0.25.0"
seen = {}


def done(value, timeout=60):
    return value.result(timeout=timeout) if "Future" in type(value).__name__ else value


def leave():
    print(json.dumps(seen))
    sys.stdout.flush()
    os._exit(0)


def params(**given):
    return types.SamplingParams(**{"max_tokens": 5, "temperature": 1.0, **given})


def draw(client, number=2, asked=None, **given):
    answer = done(client.sample(asked or prompt, number, params(**given)))
    return [list(sequence.tokens) for sequence in answer.sequences]


def datum(weights):
    inputs = {
        "target_tokens": types.TensorData(data=list(range(6, 14)), dtype="int64", shape=[8]),
        "weights": types.TensorData(data=[float(w) for w in weights], dtype="float32", shape=[8]),
    }
    return types.Datum(model_input=prompt, loss_fn_inputs=inputs)


def failure(call):
    began = time.time()
    try:
        done(call())
        return None
    except Exception as error:  # noqa: BLE001
        return [f"{type(error).__name__}: {error}", time.time() - began]


prompt = types.ModelInput.from_ints(list(range(5, 13)))
if len(sys.argv) > 3:  # a sampling client that another process hands over
    with open(sys.argv[3], "rb") as file:
        handed = pickle.load(file)
    seen = [draw(handed, seed=seed) for seed in range(3)]
    leave()

service = tinker.ServiceClient(base_url=url, api_key=key)
one = done(service.create_lora_training_client(base_model=model, rank=4, seed=1))
two = done(service.create_lora_training_client(base_model=model, rank=4, seed=2))
adam = types.AdamParams(learning_rate=1e-3)
run = one._guaranteed_model_id()

# Two models in training while a snapshot is sampled.
sampler = done(one.save_weights_and_get_sampling_client())
before = draw(sampler, seed=3)
steps = [(m.forward_backward([datum([1] * 8)], "cross_entropy"), m.optim_step(adam)) for _ in range(3) for m in (one, two)]
during = [draw(sampler, seed=3) for _ in range(3)]
losses = [done(batch).metrics["loss:sum"] for batch, _ in steps]
for _, update in steps:
    done(update)
seen["side_by_side"] = [all(again == before for again in during), losses[4] < losses[0], losses[5] < losses[1]]

# What a loss computed by the client sends: weights of both signs, which add up.
for weights in ([1.0, -2.0] * 4, [-1.0, 2.0] * 4):
    done(one.forward_backward([datum(weights)], "cross_entropy"))
seen["opposite"] = done(one.optim_step(types.AdamParams(learning_rate=0.0))).metrics["grad_norm:mean"]

# A mistake that the request's form shows does not hold up what follows it.
seen["mistake"] = failure(lambda: two.optim_step(types.AdamParams(learning_rate=-1.0)))
seen["after_mistake"] = failure(lambda: two.forward_backward([datum([1] * 8)], "cross_entropy"))

# A sampling client in another process.
handed_over = os.path.join(os.environ["VIVA_TEST_FOLDER"], f"sampler-{tinker.__version__}.pkl")
with open(handed_over, "wb") as file:
    pickle.dump(sampler, file)
command = [sys.executable, __file__, url, model, handed_over]
answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
seen["handed_over"] = [answer.stderr[-300:], answer.stdout.strip().endswith(json.dumps([draw(sampler, seed=s) for s in range(3)]))]

# Seeds, ends and lengths.
tokenizer = one.get_tokenizer()
question = types.ModelInput.from_ints(tokenizer.encode("<|im_start|>user\nWhere is the lung?<|im_end|>\n<|im_start|>assistant\n"))
base = done(service.create_sampling_client(base_model=model))
cut = draw(base, 1, question, seed=1, max_tokens=60, stop="</think>")[0]
seen["seeds"] = [draw(base, 2, seed=4) == draw(base, 5, seed=4)[:2], draw(base, seed=None) != draw(base, seed=None)]
seen["stop_text"] = tokenizer.decode(cut)
seen["long"] = len(draw(base, 1, types.ModelInput.from_ints([9] * 2043))[0])
seen["too_long"] = failure(lambda: base.sample(types.ModelInput.from_ints([9] * 2050), 1, params()))
scores = done(base.compute_logprobs(question))
if newer:
    last = done(base.compute_logprobs(question, 3))
    seen["last"] = [last.count(None) == len(scores) - 3, max(abs(a - b) for a, b in zip(scores[-3:], last[-3:]))]
seen["top_k"] = failure(lambda: base.sample(prompt, 1, params(), include_prompt_logprobs=True, topk_prompt_logprobs=3))

# Checkpoints: pages, ends, removal; sessions.
rest = service.create_rest_client()
paths = [done(two.save_state(f"s{i}")).path for i in range(3)]
page = done(rest.list_user_checkpoints(limit=2, offset=1))
seen["page"] = [[c.tinker_path for c in page.checkpoints] == [paths[1], paths[0]], page.cursor.total_count >= 3]
ends = lambda: [c.expires_at is None for c in done(rest.list_checkpoints(two._guaranteed_model_id())).checkpoints]
done(rest.set_checkpoint_ttl_from_tinker_path(paths[1], 3600))
seen["ends"] = [ends()]
done(rest.set_checkpoint_ttl_from_tinker_path(paths[1], None))
done(rest.delete_checkpoint_from_tinker_path(paths[0]))
seen["ends"].append(ends())
seen["publish"] = failure(lambda: rest.publish_checkpoint_from_tinker_path(paths[1]))
# What the command line downloads: in 0.38.0 training states, in 0.25.0 weights for sampling too.
seen["download"] = paths[2] if newer else done(two.save_weights_for_sampler("w")).path
own = service.holder.get_session_id()
seen["session"] = [own in done(rest.list_sessions()).sessions, run in done(rest.get_session(own)).training_run_ids]
if newer:
    done(service.close("success"))
    other = tinker.ServiceClient(base_url=url, api_key=key)
    seen["closed"] = own not in done(other.create_rest_client().list_sessions()).sessions
leave()
