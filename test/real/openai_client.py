"""Drives a server with OpenAI's own client: one JSON object on stdout, a key for each thing that was tried."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import openai

base_url, api_key, model, image = sys.argv[1:5]
client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
look = [
    {"type": "image_url", "image_url": {"url": image}},
    {"type": "text", "text": "Is there an effusion?"},
]


def ask(content="Is it clear?", asking=client, **more):
    fields = {"model": model, "messages": [{"role": "user", "content": content}], "seed": 5, "max_completion_tokens": 12}
    return asking.chat.completions.create(**{**fields, **more})


def refused(**how):
    try:
        return {"answered": ask(**how).choices[0].message.content}
    except openai.OpenAIError as error:
        status = getattr(error, "status_code", None)
        body = getattr(error, "body", None) or {}
        return {"kind": type(error).__name__, "status": status, "message": str(error), "param": body.get("param")}


def streamed():
    chunks = list(ask(look, stream=True, stream_options={"include_usage": True}))
    parts = [chunk.choices[0] for chunk in chunks if chunk.choices]
    return {
        "text": "".join(part.delta.content or "" for part in parts),
        "finish_reason": parts[-1].finish_reason,
        "chunks": len(parts),
        "usage": chunks[-1].usage.completion_tokens,
    }


def helper_stream():
    with client.chat.completions.stream(
        model=model, messages=[{"role": "user", "content": "Is it clear?"}], seed=5, max_completion_tokens=12
    ) as stream:
        events = list(stream)
    text = "".join(event.delta for event in events if event.type == "content.delta")
    return {"events": sorted({event.type for event in events}), "text": text}


seen = ask(look)
again = ask(look, logprobs=True, n=2)
raw = client.chat.completions.with_raw_response.create(
    model=model, messages=[{"role": "user", "content": "Is it clear?"}], seed=5, max_completion_tokens=12
)
with ThreadPoolExecutor(2) as pool:
    both = [done.choices[0].message.content for done in pool.map(lambda content: ask(content), ["Is it clear?", look])]
schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
tool = {"type": "function", "function": {"name": "zoom", "parameters": {"type": "object", "properties": {}}}}

print(
    json.dumps(
        {
            "models": [entry.id for entry in client.models.list()],
            "model": client.models.retrieve(model).id,
            "plain": ask().choices[0].message.content,
            "image": seen.choices[0].message.content,
            "usage": seen.usage.prompt_tokens + seen.usage.completion_tokens - seen.usage.total_tokens,
            "logprobs": [[entry.logprob for entry in choice.logprobs.content] for choice in again.choices],
            "log_prob_texts": ["".join(entry.token for entry in choice.logprobs.content) for choice in again.choices],
            "choices": [choice.message.content for choice in again.choices],
            "raw": raw.parse().choices[0].message.content,
            "streamed": streamed(),
            "helper": helper_stream(),
            "both": both,
            "neutral": ask(extra_body={"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}).choices[0].message.content,
            "text_format": ask(response_format={"type": "text"}, tools=[tool], tool_choice="none").choices[0].message.content,
            "refused": {
                "json_object": refused(response_format={"type": "json_object"}),
                "json_schema": refused(response_format=schema),
                "top_logprobs": refused(logprobs=True, top_logprobs=3),
                "sampler": refused(extra_body={"repetition_penalty": 1.2}),
                "unknown": refused(extra_body={"no_such_field": 1}),
                "temperature": refused(temperature=-1),
                "key": refused(asking=client.with_options(api_key="another")),
                "model": refused(model="another"),
                "remote": refused(content=[{"type": "image_url", "image_url": {"url": "https://127.0.0.1/a.png"}}]),
                "path": refused(asking=client.with_options(base_url=base_url + "/none")),
                "timeout": refused(asking=client.with_options(timeout=0.001), max_completion_tokens=200),
            },
            "after": ask().choices[0].message.content,
        }
    )
)
