"""Frames of DICOM files as pydicom shows them, for test/real/dicom.test.ts: dicom_reference.py OUT FILE…

Writes OUT/index.json, a list of {file, frames, shown: [{frame, width, height, channels}] or error}, and of each frame
OUT/<file number>-<frame>.bin, its 8-bit pixels. Greys go through apply_modality_lut and apply_voi_lut; what comes out of
them is spread over 0..255 by the range that apply_voi_lut itself spreads windows over, or by the bits of the table.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

BASELINE = "1.2.840.10008.1.2.4.50"


def main() -> None:
    out = Path(sys.argv[1])
    index = []
    for number, file in enumerate(sys.argv[2:]):
        index.append(describe(out, number, Path(file)))
    (out / "index.json").write_text(json.dumps(index))


def describe(out: Path, number: int, file: Path) -> dict:
    row: dict = {"file": str(file)}
    try:
        ds = pydicom.dcmread(file, force=True)
        if not any(name in ds for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            return {**row, "image": False}
        meta = getattr(ds, "file_meta", {})
        row |= {
            "image": True,
            "syntax": str(meta.get("TransferSyntaxUID", "")),
            "photometric": str(ds.get("PhotometricInterpretation", "")),
            "bits": int(ds.get("BitsStored", 0)),
            "frames": int(ds.get("NumberOfFrames", 1) or 1),
        }
        shown = []
        for frame in sorted({0, row["frames"] - 1}):
            pixels = frame_pixels(ds, frame)
            (out / f"{number}-{frame}.bin").write_bytes(pixels.tobytes())
            height, width = pixels.shape[:2]
            shown.append({"frame": frame, "width": width, "height": height, "channels": 1 if pixels.ndim == 2 else 3})
        return {**row, "shown": shown}
    except Exception as error:  # whatever pydicom says of the file is its answer
        return {**row, "image": True, "error": f"{type(error).__name__}: {error}"[:200]}


def frame_pixels(ds: pydicom.Dataset, frame: int) -> np.ndarray:
    # Pillow's and viva's decoders of baseline JPEG spread shared colours alike; others do it otherwise, as they may.
    plugin = {"decoding_plugin": "pillow"} if ds.file_meta.get("TransferSyntaxUID") == BASELINE else {}
    stored = pixel_array(ds, index=frame, **plugin)
    flat = flattened(ds, frame)
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        coloured = apply_color_lut(stored, little_endian_palette(ds))
        bits = ds.RedPaletteColorLookupTableDescriptor[2]
        return (coloured >> (bits - 8) if bits > 8 else coloured).astype(np.uint8)
    if stored.ndim == 3:
        return (stored >> max(0, ds.BitsStored - 8)).astype(np.uint8)
    units = apply_modality_lut(stored, flat)
    values = apply_voi_lut(units, flat).astype(np.float64)
    low, high = shown_range(flat)
    greys = np.clip((values - low) / (high - low), 0, 1) * 255
    if ds.PhotometricInterpretation == "MONOCHROME1":
        greys = 255 - greys
    return np.floor(greys + 0.5).astype(np.uint8)


def little_endian_palette(ds: pydicom.Dataset) -> pydicom.Dataset:
    """pydicom takes a palette's words for little-endian, whatever the file's byte order."""
    if ds.original_encoding[1] or "RedPaletteColorLookupTableData" not in ds:
        return ds  # of segments it knows the byte order
    out = copied(ds)
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTableData"
        swapped = np.frombuffer(ds[name].value, ">u2").astype("<u2").tobytes()
        out[name] = pydicom.DataElement(ds[name].tag, "OW", swapped)
    return out


def shown_range(ds: pydicom.Dataset) -> tuple[float, float]:
    if ds.get("VOILUTSequence"):
        return 0, 2 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
    if ds.get("ModalityLUTSequence"):
        return 0, 2 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    count = 2**ds.BitsStored
    low, high = (0, count - 1) if ds.PixelRepresentation == 0 else (-count // 2, count // 2 - 1)
    if ds.get("RescaleSlope") is not None and ds.get("RescaleIntercept") is not None:
        slope, intercept = float(ds.RescaleSlope), float(ds.RescaleIntercept)
        low, high = sorted((low * slope + intercept, high * slope + intercept))
    return low, high


def flattened(ds: pydicom.Dataset, frame: int) -> pydicom.Dataset:
    """The data set with the frame's own window and rescaling, which pydicom does not look for in functional groups."""
    groups = [*ds.get("SharedFunctionalGroupsSequence", [])]
    own = ds.get("PerFrameFunctionalGroupsSequence", [])
    if frame < len(own):
        groups.append(own[frame])
    flat = copied(ds)
    for group in groups:
        for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(name, [])[:1]:
                for element in item:
                    flat[element.tag] = element
    return flat


def copied(ds: pydicom.Dataset) -> pydicom.Dataset:
    """Another data set of the same elements: `Dataset(ds)` would share the dictionary of them."""
    out = pydicom.Dataset()
    out.update({element.tag: element for element in ds})
    out.file_meta = ds.file_meta
    return out


if __name__ == "__main__":
    main()
