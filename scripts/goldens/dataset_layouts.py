"""Small made-up files in the layouts of the data sets that come as parquet.

    python scripts/goldens/dataset_layouts.py test/golden/datasets
"""

import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

folder = Path(sys.argv[1])
generator = np.random.default_rng(4)


def png(number):
    pixels = np.kron(np.random.default_rng(number).integers(0, 255, (6, 6)), np.ones((6, 6))).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"{number}.png"}


def write(path, rows):
    path = folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def plain(name, split, file, rows):
    write(f"{name}/data/{split}-{file}.parquet", [dict(image=png(i), question=q, answer=a) for i, q, a in rows])


# VQA-RAD: every test image is also a training image, and one question is asked in both about one image.
plain("vqa_rad", "train", "00000-of-00001-eb8844602202be60", [
    (1, "is there an effusion?", "yes"), (1, "which side?", "left"), (2, "is it clear?", "no"), (3, "what is this?", "ct"),
    (4, "is it clear?", "Yes"), (5, "is it clear?", "no"),
])
plain("vqa_rad", "test", "00000-of-00001-e5bc3d208bb4deeb", [(1, "Is there an effusion?", "yes"), (2, "how many?", "two")])
plain("path_vqa", "train", "00000-of-00002-aa", [(6, "what is present?", "cells")])
plain("path_vqa", "train", "00001-of-00002-bb", [(7, "is this benign?", "no")])
plain("path_vqa", "validation", "00000-of-00001-cc", [(8, "where?", "in the canals of hering")])
write("bad/data/train-00000-of-00001.parquet", [dict(image=png(9), question="why?", answer=None)])


def mmmu(number, split, options, answer, question_type="multiple-choice", images=1):
    row = dict(id=f"{split}_Pharmacy_{number}", question="What is shown in <image 1>?", options=options, explanation="",
               answer=answer, topic_difficulty="Easy", question_type=question_type, subfield="Pharmacology", img_type="['Plots']")
    return row | {f"image_{i}": png(20 + i) if i <= images else None for i in range(1, 8)}


write("mmmu/Pharmacy/dev-00000-of-00001.parquet", [mmmu(1, "dev", "['a', 'b']", "A")])
write("mmmu/Pharmacy/validation-00000-of-00001.parquet", [
    mmmu(1, "validation", "['15%', \"Crohn's disease\", 'it\\'s none']", "B", images=2),
    mmmu(2, "validation", "[]", "4.5", "open"),
])
write("mmmu/Pharmacy/test-00000-of-00001.parquet", [mmmu(1, "test", "['a', 'b']", "?")])
