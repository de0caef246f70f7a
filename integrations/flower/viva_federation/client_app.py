"""A site: trains the adapter of the round before on its own data, and hands over adapter files and a count, nothing else.

Its node config names what is its own: `recipe`, `base` (the model's folder), `folder` (where its rounds are kept), `viva`.
"""

import hashlib
import json
import shutil
from pathlib import Path

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from viva_federation.files import BASE, CONFIG, WEIGHTS, to_arrays, viva, write_adapter, write_folder

app = ClientApp()
COUNT = "count.json"
LARGE_PRIME = 1_000_003  # as `viva federate` takes batches: other ones in each round


@app.train()
def train(msg: Message, context: Context) -> Message:
    own, config, arrays = context.node_config, msg.content["config"], msg.content["arrays"]
    round_number = int(config["server-round"])
    folder = Path(str(own["folder"])) / f"run-{context.run_id}"
    name = f"round-{round_number:04d}"
    outbox = folder / "outbox" / name
    if not outbox.exists():
        start = None
        if CONFIG in arrays:
            start = folder / "start" / name
            write_adapter(start, arrays, str(own["base"]))
        run = folder / "runs" / name
        train_round(run, start, own, config)
        write_folder(outbox, lambda draft: fill_outbox(draft, run))
        list_sent(folder)
    count = json.loads((outbox / COUNT).read_text())["examples"]
    content = {"arrays": to_arrays(outbox), "metrics": MetricRecord({"num-examples": count})}
    return Message(content=RecordDict(content), reply_to=msg)


def train_round(run: Path, start: Path | None, own, config) -> None:
    """The ordinary trainer; a run that a kill left goes on. Of the server's words only numbers and a mode are taken."""
    command = str(own.get("viva", "viva"))
    if ended(run):
        return
    if (run / "recipe.yaml").exists():
        viva(command, "train", "--run", str(run), "--resume", "--no-report", "--quiet")
        return
    seed, round_number = int(config["seed"]), int(config["server-round"])
    changes = {
        "seed": (seed + LARGE_PRIME * (round_number - 1)) % 2**31,
        "data.train.seed": seed,
        "stages.0.steps": int(config["local-steps"]),
        "model.freeze": "[lora_A]" if config["mode"] == "ffa" else "[]",
        "evaluate": "null",
        **({} if start is None else {"model.path": json.dumps(str(start))}),
    }
    sets = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    run.parent.mkdir(parents=True, exist_ok=True)
    viva(command, "train", str(own["recipe"]), *sets, "--run", str(run), "--no-report", "--quiet")


def rows(run: Path):
    events = run / "events.jsonl"
    return [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []


def ended(run: Path) -> bool:
    return any(row["event"] == "run_end" for row in rows(run))


def fill_outbox(draft: Path, run: Path) -> None:
    """What leaves the site: the last checkpoint's adapter, without the path of the model, and the number of examples."""
    last = max((run / "checkpoints").glob("step-*"))
    shutil.copyfile(last / WEIGHTS, draft / WEIGHTS)
    config = json.loads((last / CONFIG).read_text())
    (draft / CONFIG).write_text(json.dumps({**config, BASE: ""}))
    kept = next(row["kept"] for row in rows(run) if row["event"] == "preflight" and row["data"] == "data.train")
    (draft / COUNT).write_text(json.dumps({"examples": kept}))


def list_sent(folder: Path) -> None:
    """sent.json: every file that left the site, with its size and SHA-256."""
    sent = []
    for file in sorted((folder / "outbox").glob("round-*/*")):
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        sent.append({"round": file.parent.name, "file": file.name, "bytes": len(content), "sha256": digest})
    (folder / "sent.json").write_text(json.dumps(sent, indent=2))
