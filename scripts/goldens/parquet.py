"""Writes small parquet files as the data sets of the Hub have them, and what is in them.

    python scripts/goldens/parquet.py test/golden/parquet

Needs pyarrow and pillow (versions are stored in golden.json).
"""

import base64
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, __version__ as pillow

SCHEMA = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("question", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("number", pa.int64()),
        ("score", pa.float64()),
        ("closed", pa.bool_()),
    ]
)


def png(i: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8 + i, 8), (20 * i, 255 - 20 * i, 7)).save(out, "PNG")
    return out.getvalue()


def row(i: int) -> dict:
    return {
        "image": None if i == 5 else {"bytes": png(i), "path": None if i == 4 else f"{i}.png"},
        "question": None if i == 6 else f"Größe {i}?",
        "choices": [f"{c}{i}" for c in "ab"[: i % 3]],
        "number": 2**53 - 1 - i,
        "score": i / 8,
        "closed": i % 2 == 0,
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row(i) for i in range(10)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
        pq.write_table(table, folder / f"{codec}.parquet", compression=codec, row_group_size=4)
    pq.write_table(table.slice(0, 0), folder / "empty.parquet")
    for r in rows:
        if r["image"]:
            r["image"]["bytes"] = base64.b64encode(r["image"]["bytes"]).decode()
    golden = {"versions": {"pyarrow": pa.__version__, "pillow": pillow}, "rows": rows}
    (folder / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


main(Path(sys.argv[1]))
