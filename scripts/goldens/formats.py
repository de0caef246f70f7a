"""Writes small data sets in the files of other tools: by pyarrow and by datasets, and as LLaVA, ms-swift, OpenAI and TRL have them.

    python scripts/goldens/formats.py test/golden/formats

Needs datasets, pyarrow and pillow. Every set asks the same four questions about four films of 32 pixels, two of them bright.
"""

import csv
import io
import json
import sys
from base64 import b64encode
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from PIL import Image as Film

QUESTIONS = ["Is the film bright?", "Is it dark?", "Is the film bright?", "Is it dark?"]
ANSWERS = ["yes", "no", "no", "yes"]
SHADES = [230, 200, 40, 20]


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Film.new("RGB", (32, 32), (shade, shade, shade // 2)).save(out, "PNG")
    return out.getvalue()


def write_lines(file: Path, rows: list[dict]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main() -> None:
    out = Path(sys.argv[1])
    (out / "films").mkdir(parents=True, exist_ok=True)
    films = [png(shade) for shade in SHADES]
    names = [f"films/{i}.png" for i in range(4)]
    for name, film in zip(names, films):
        (out / name).write_bytes(film)
    rows = list(zip(QUESTIONS, ANSWERS, names, films))

    table = {
        "Frage": QUESTIONS,
        "Antwort": ANSWERS,
        "Bild": [{"bytes": film, "path": None} for film in films],
        "pid": ["p0", "p1", "p2", "p3"],
    }
    pyarrow.parquet.write_table(pyarrow.table(table), out / "own_columns.parquet")

    features = Features(
        {"image": Image(), "question": Value("string"), "answer": ClassLabel(names=["no", "yes"]), "pid": Value("string")}
    )
    columns = {
        "image": [{"bytes": film, "path": None} for film in films],
        "question": QUESTIONS,
        "answer": [["no", "yes"].index(answer) for answer in ANSWERS],
        "pid": ["p0", "p1", "p2", "p3"],
    }
    saved = Dataset.from_dict(columns, features=features)
    DatasetDict({"train": saved.select(range(2)), "test": saved.select([2, 3])}).save_to_disk(out / "saved")

    def turns(question: str, answer: str) -> list[dict]:
        return [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]

    conversations = [
        {"id": f"film-{i}", "image": name, "conversations": turns(question, answer)}
        for i, (question, answer, name, _) in enumerate(rows)
    ]
    (out / "llava.json").write_text(json.dumps(conversations, indent=1))
    write_lines(out / "llava.jsonl", conversations)

    write_lines(
        out / "openai.jsonl",
        [
            {
                "messages": [
                    {"role": "system", "content": "You read films."},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": question},
                            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64encode(film).decode()}"}},
                        ],
                    },
                    {"role": "assistant", "content": answer},
                ]
            }
            for question, answer, _, film in rows
        ],
    )
    write_lines(
        out / "swift.jsonl",
        [
            {
                "messages": [{"role": "user", "content": f"<image>{question}"}, {"role": "assistant", "content": answer}],
                "images": [name],
            }
            for question, answer, name, _ in rows
        ],
    )
    write_lines(
        out / "trl.jsonl",
        [
            {
                "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}],
                "completion": [{"role": "assistant", "content": [{"type": "text", "text": answer}]}],
                "images": [name],
            }
            for question, answer, name, _ in rows
        ],
    )
    with (out / "own_columns.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Bild", "Frage", "Antwort", "A", "B"])
        for question, answer, name, _ in rows:
            writer.writerow([name, question, answer, "yes", "no"])
    (out / "versions.json").write_text(
        json.dumps({"datasets": datasets.__version__, "pyarrow": pyarrow.__version__}) + "\n"
    )


main()
