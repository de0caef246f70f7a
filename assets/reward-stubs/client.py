"""viva's rewards for @TOOL@: completions go to `viva serve --rewards`, and its rewards come back.

Made by `viva rewards stub @NAME@`; needs the standard library alone beside @TOOL@. Whatever fails raises VivaRewardError,
which says why: it is never a reward of 0.

VIVA_REWARDS_URL        where the server is, in place of the address below
VIVA_API_KEY            its key, where it asks for one
VIVA_REWARDS_TIMEOUT_S  seconds for all completions of one call (600)
VIVA_REWARDS_IMAGES     1 sends the columns image and images, for rewards that look at them
"""

import base64
import io
import json
import os
import time
import urllib.error
import urllib.request

URL = os.environ.get("VIVA_REWARDS_URL", "@URL@").rstrip("/")
TIMEOUT_S = float(os.environ.get("VIVA_REWARDS_TIMEOUT_S", "600"))
SEND_IMAGES = os.environ.get("VIVA_REWARDS_IMAGES", "0") == "1"
# What viva calls a column, and what your data call it where that differs.
COLUMNS = @COLUMNS@
# How a completion is judged: see "Columns" in viva's docs/rewards.md.
KNOWN = (
    "answer",
    "reference",
    "answer_type",
    "options",
    "choices",
    "question",
    "rationale",
    "facts",
    "id",
    "group",
    "meta",
    "completion_ids",
    "finish_reason",
)
# A proxy of the environment is not for a server of one's own.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class VivaRewardError(RuntimeError):
    """No reward could be had; the message says why."""


def score(rows, step=None):
    """Scores rows: for each a mapping of reward (a number, or None where no reward applies), components and evidence."""
    results = post("/score", {"rows": rows} if step is None else {"rows": rows, "step": step})["rows"]
    if len(results) != len(rows):
        raise VivaRewardError(f"{URL}: {len(results)} rewards for {len(rows)} completions")
    return results


def post(path, body):
    """The server's answer; asks again within the time-out while the server has no room."""
    data = json.dumps(body, default=_plain).encode()
    headers = {"content-type": "application/json"}
    if os.environ.get("VIVA_API_KEY"):
        headers["authorization"] = "Bearer " + os.environ["VIVA_API_KEY"]
    until = time.monotonic() + TIMEOUT_S
    while True:
        left = until - time.monotonic()
        try:
            request = urllib.request.Request(URL + path, data, headers)
            with OPENER.open(request, timeout=max(left, 0.01)) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            pause = float(error.headers.get("retry-after") or 1)
            if error.code not in (429, 503) or pause > left:
                raise VivaRewardError(f"{URL}{path}: {error.code}, {_message(error)}") from None
            time.sleep(pause)
        except OSError as error:
            reason = getattr(error, "reason", None) or error
            raise VivaRewardError(f"{URL}{path}: no answer within {TIMEOUT_S:g} s ({reason}); is the server running?") from None


def number_of(result):
    """The reward of a result, for trainers that take numbers alone."""
    if result["reward"] is None:
        raise VivaRewardError("no reward applies to a completion, so it has none, and 0 would be a verdict")
    return result["reward"]


def rows_of(completions, columns):
    """Rows of the known columns, given as lists as long as the completions."""
    rows = [{"completion": text_of(completion)} for completion in completions]
    for name in KNOWN:
        values = columns.get(COLUMNS.get(name, name))
        for row, value in zip(rows, [] if values is None else values, strict=values is not None):
            if not _is_missing(value):
                row[name] = value
    for name in ("image", "images") if SEND_IMAGES else ():
        values = columns.get(name)
        for row, value in zip(rows, [] if values is None else values):
            row["images"] = [_data_url(image) for image in (value if isinstance(value, (list, tuple)) else [value])]
    lacking = next((i for i, row in enumerate(rows) if "answer" not in row and "reference" not in row), None)
    if lacking is not None:
        known = ", ".join(sorted(columns))
        raise VivaRewardError(
            f"completion {lacking} has no answer to compare with; the columns are {known}: "
            "name yours by `viva rewards stub --column answer=YOURS`"
        )
    return rows


def known_columns(row):
    """Of one mapping the columns that are known, under viva's names."""
    named = {name: row.get(COLUMNS.get(name, name)) for name in KNOWN}
    return {name: value for name, value in named.items() if not _is_missing(value)}


def text_of(completion):
    """The text of a completion: a text, or messages, of which the last is the answer."""
    if isinstance(completion, str):
        return completion
    message = completion[-1] if isinstance(completion, list) else completion
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content if part.get("type") == "text")


def _is_missing(value):
    return value is None or (isinstance(value, float) and value != value)


def _data_url(image):
    """A data URL of an image: one already, or an image of Pillow's, or {"bytes": …}."""
    if isinstance(image, str) and image.startswith("data:"):
        return image
    if isinstance(image, dict) and image.get("bytes"):
        data = image["bytes"]
    elif hasattr(image, "save"):
        file = io.BytesIO()
        image.save(file, format="PNG")
        data = file.getvalue()
    else:
        raise VivaRewardError(f"an image is a {type(image).__name__}: only Pillow's images, bytes and data URLs are sent")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _plain(value):
    """Arrays of numpy and torch as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a column holds a {type(value).__name__}, which JSON has no form for")


def _message(error):
    try:
        return json.load(error)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return error.reason
