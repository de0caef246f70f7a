"""Writes small images of many kinds with what transformers' image processor of the Qwen-VL families makes of them.

needs: what scripts/goldens/qwen_vl.py needs
usage: python scripts/goldens/processor.py test/golden/processor

  *.png, *.jpg           the images
  golden.json            versions; images (file, stored size, PIL mode); cases (image, min_pixels, max_pixels, grid_thw,
                         resized and pixel_values: names of tensors or null); smart_resize: sizes in and out, no pixels;
                         hashes: preprocessor_config.json of Qwen2-VL and Qwen3-VL, and for every image grid_thw and the
                         SHA-256 of its pixel values, float32, little-endian
  golden.safetensors     decoded.{image}            [H, W, 3] uint8, opened by path: EXIF rotation applied, alpha dropped,
                                                    16-bit grey clipped at 255
                         decoded_over_white.{image} the same for an image handed over already opened, where that differs:
                                                    no EXIF rotation, alpha blended over white
                         resized.{image}.{setting}  [H, W, 3] uint8, after bicubic resizing of `decoded`
                         pixel_values.{image}.{setting} [patches, 1176] float32
Pillow 13 runs the horizontal pass first, but the vertical one when H - h > 0 and H - h > 2 (W - w); Pillow 12 and older ran
the horizontal pass first in nearly every case. Each pass rounds to 8 bits, so the order shows, mostly by one level.
A decoder may differ from Pillow's by a level or two in JPEG files; `decoded` lets a test tell that from resizing.
"""

import argparse
import hashlib
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
from PIL import Image
from qwen_vl import random_image, versions, write_json
from safetensors.numpy import save_file
from transformers import Qwen2VLImageProcessorPil
from transformers.image_transforms import convert_to_rgb
from transformers.image_utils import load_image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

SETTINGS = {"default": (56 * 56, 28 * 28 * 1280), "small": (28 * 28, 3 * 28 * 28), "large": (12 * 28 * 28, 20 * 28 * 28)}
# Pixels are kept where they add something, to stay small; grids always.
KEEP_RESIZED = {"default": {"exact.png", "grey.png", "photo.jpg", "rotated.jpg", "ties.png", "tiny.png"}, "large": set()}
KEEP_VALUES = {("ties.png", "small"), ("tiny.png", "small")}
# As the checkpoints on the Hub have them.
CONFIGS = {
    "qwen2_vl": dict(min_pixels=3136, max_pixels=12845056, patch_size=14, temporal_patch_size=2, merge_size=2,
                     image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711]),
    "qwen3_vl": dict(size={"shortest_edge": 65536, "longest_edge": 16777216}, patch_size=16, temporal_patch_size=2, merge_size=2,
                     image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5]),
    "qwen3_vl_small": dict(size={"shortest_edge": 1024, "longest_edge": 5 * 1024}, patch_size=16, temporal_patch_size=2, merge_size=2,
                           image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5]),
}


class RecordingProcessor(Qwen2VLImageProcessorPil):
    """Keeps the last image between resizing and normalising."""

    def resize(self, *args, **kwargs):
        self.resized = super().resize(*args, **kwargs)
        return self.resized


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    out = arguments.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    write_images(out, np.random.default_rng(5))
    tensors, images, cases, hashes = {}, [], [], []
    for path in sorted([*out.glob("*.png"), *out.glob("*.jpg")]):
        opened = Image.open(path)
        images.append({"file": path.name, "height": opened.height, "width": opened.width, "mode": opened.mode})
        decoded = np.asarray(load_image(str(path)))
        over_white = convert_to_rgb(opened, return_numpy=True)
        tensors[f"decoded.{path.name}"] = decoded
        if not np.array_equal(decoded, over_white):
            tensors[f"decoded_over_white.{path.name}"] = over_white
        for setting, (low, high) in SETTINGS.items():
            processor = RecordingProcessor(min_pixels=low, max_pixels=high)
            features = processor(images=[Image.fromarray(decoded)], return_tensors="np")
            name = f"{path.name}.{setting}"
            case = {"image": path.name, "setting": setting, "min_pixels": low, "max_pixels": high,
                    "grid_thw": features["image_grid_thw"][0].tolist(), "resized": None, "pixel_values": None}
            if path.name in KEEP_RESIZED.get(setting, {path.name}):
                case["resized"] = f"resized.{name}"
                tensors[case["resized"]] = processor.resized.transpose(1, 2, 0)
            if (path.name, setting) in KEEP_VALUES:
                case["pixel_values"] = f"pixel_values.{name}"
                tensors[case["pixel_values"]] = features["pixel_values"].astype(np.float32)
            cases.append(case)
        for name, config in CONFIGS.items():
            features = Qwen2VLImageProcessorPil(**config)(images=[Image.fromarray(decoded)], return_tensors="np")
            values = np.ascontiguousarray(features["pixel_values"], dtype="<f4")
            hashes.append({"image": path.name, "config": name, "grid_thw": features["image_grid_thw"][0].tolist(),
                           "sha256": hashlib.sha256(values.tobytes()).hexdigest()})
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, out / "golden.safetensors")
    write_json(out / "golden.json", {"versions": versions(), "images": images, "cases": cases, "smart_resize": resize_table(),
                                    "hashes": {"configs": CONFIGS, "images": hashes}})
    print(f"{len(images)} images, {len(cases)} cases, {sum(t.nbytes for t in tensors.values())} bytes of tensors")


def write_images(out, rng):
    random_image(rng, 1, 66, "RGB").save(out / "very_wide.png")
    random_image(rng, 5, 40, "RGB").save(out / "tiny.png")
    random_image(rng, 42, 70, "RGB").save(out / "ties.png")  # 1.5 and 2.5 times 28: Python rounds halves to even
    random_image(rng, 56, 56, "RGB").save(out / "exact.png")  # its default size is its own: nothing is resampled
    random_image(rng, 40, 33, "L").save(out / "grey.png")
    random_image(rng, 33, 41, "LA").save(out / "grey_alpha.png")
    random_image(rng, 45, 31, "RGBA").save(out / "rgba.png")
    random_image(rng, 37, 52, "RGB").quantize(32).save(out / "palette.png")
    random_image(rng, 30, 44, "RGB").quantize(16).save(out / "palette_transparent.png", transparency=3)
    low, high = (np.asarray(random_image(rng, 35, 48, "L")).astype(np.uint16) for _ in range(2))
    Image.fromarray(np.where(np.arange(48) < 24, low, 256 * high + low)).save(out / "grey_16_bit.png")  # left half below 256
    random_image(rng, 44, 61, "RGB").save(out / "photo.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was turned by 90 degrees
    random_image(rng, 36, 52, "RGB").save(out / "rotated.jpg", quality=95, subsampling=0, exif=exif)


def resize_table():
    """smart_resize where rounding, a limit or the refusal of thin images decides."""
    sizes = [(1, 1), (1, 200), (1, 201), (5, 40), (13, 14), (14, 14), (14, 42), (42, 70), (70, 98), (98, 126), (28, 28), (29, 27),
             (56, 55), (57, 57), (75, 101), (131, 67), (512, 512), (768, 1024), (1365, 2048), (2048, 11), (3000, 4000), (999, 5)]
    rows = []
    for height, width in sizes:
        for low, high in SETTINGS.values():
            try:
                resized = list(smart_resize(height, width, 28, low, high))
            except ValueError:
                resized = None
            rows.append({"height": height, "width": width, "min_pixels": low, "max_pixels": high, "resized": resized})
    return rows


if __name__ == "__main__":
    main()
