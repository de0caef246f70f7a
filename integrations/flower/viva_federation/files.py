"""Adapter folders and the messages that carry them: files go as bytes, so that what arrives is what was sent."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
BASE = "base_model_name_or_path"


def viva(command: str, *arguments: str) -> str:
    """Runs viva; what it printed. A failure is an error with viva's own sentence."""
    done = subprocess.run([*shlex.split(command), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"viva {arguments[0]}: {(done.stderr.strip() or done.stdout.strip())[-2000:]}")
    return done.stdout


def write_folder(folder: Path, fill) -> None:
    """Fills a folder beside and renames it: it is whole or absent."""
    draft = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    fill(draft)
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(draft, folder)


def to_arrays(folder: Path) -> ArrayRecord:
    """An adapter folder as a message."""
    return ArrayRecord({name: Array(np.frombuffer((folder / name).read_bytes(), np.uint8)) for name in (CONFIG, WEIGHTS)})


def write_adapter(folder: Path, arrays: ArrayRecord, base: str) -> None:
    """A message as an adapter folder on the model in `base`."""
    config = json.loads(arrays[CONFIG].numpy().tobytes())

    def fill(draft: Path) -> None:
        (draft / WEIGHTS).write_bytes(arrays[WEIGHTS].numpy().tobytes())
        (draft / CONFIG).write_text(json.dumps({**config, BASE: base}))

    write_folder(folder, fill)
