"""Writes small DICOM files in every form that viva reads, and their pixels as pydicom shows them.

    python scripts/goldens/dicom.py test/golden/dicom

Needs pydicom, numpy, pillow, pylibjpeg-openjpeg, pyjpegls. Every file names a patient who must be found in nothing that viva
writes. Lossless JPEG is encoded here, since no package encodes it.
"""

import io
import json
import sys
from base64 import b64encode
from pathlib import Path

import numpy as np
import pydicom
from dicom_reference import frame_pixels
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

HEIGHT, WIDTH = 40, 64  # of no side below 32 is there a JPEG 2000 file by OpenJPEG
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
CANARY = {"PatientName": "CANARY^PATIENT", "PatientID": "CANARY-ID-4711", "PatientBirthDate": "19010101"}


def film(low: int, high: int, seed: int = 0) -> np.ndarray:
    """A disc on a gradient with some noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    disc = (x - 12 - seed) ** 2 + (y - 10) ** 2 < 49
    noise = np.random.default_rng(seed).uniform(-0.03, 0.03, (HEIGHT, WIDTH))
    share = np.clip(0.15 + 0.5 * x / WIDTH + 0.3 * disc + noise, 0, 1)
    return np.round(low + share * (high - low)).astype(np.int32)


def dataset(pixels: np.ndarray, bits: int, **elements) -> Dataset:
    """`pixels` is [H, W], [F, H, W] or, for colours, [H, W, 3]."""
    ds = Dataset()
    ds.SOPClassUID = CT_STORAGE
    ds.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    ds.Modality = "CT"
    for name, value in CANARY.items():
        setattr(ds, name, value)
    signed = bool((pixels < 0).any())
    ds.SamplesPerPixel = 3 if pixels.shape[-1] == 3 else 1
    ds.PhotometricInterpretation = "RGB" if ds.SamplesPerPixel == 3 else "MONOCHROME2"
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    if pixels.ndim == 3 and ds.SamplesPerPixel == 1:
        ds.NumberOfFrames = pixels.shape[0]
    ds.Rows, ds.Columns = HEIGHT, WIDTH
    ds.BitsAllocated = 8 if bits <= 8 else 16
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, int(signed)
    ds.PixelData = pixels.astype(f"<{'i' if signed else 'u'}{ds.BitsAllocated // 8}").tobytes()
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def save(folder: Path, name: str, ds: Dataset, syntax: str = ExplicitVRLittleEndian, compress: str | None = None) -> None:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if compress else syntax
    if compress:
        ds.compress(syntax, encoding_plugin=compress, generate_instance_uid=False)
    if syntax == ExplicitVRBigEndian:
        ds["PixelData"].value = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds.save_as(folder / f"{name}.dcm", enforce_file_format=True)


def encapsulated(folder: Path, name: str, ds: Dataset, frame: bytes, syntax: str) -> None:
    ds.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    save(folder, name, ds, syntax)


def lossless_jpeg(pixels: np.ndarray, bits: int) -> bytes:
    """Process 14, selection value 1: differences from the left neighbour, 17 categories in codes of five bits each."""
    head = segment(0xC3, bytes([bits, *divmod(HEIGHT, 256), *divmod(WIDTH, 256), 1, 1, 0x11, 0]))
    codes = segment(0xC4, bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)]))
    text = lossless_bits(pixels, bits)
    text += "1" * (-len(text) % 8)
    data = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")
    return b"\xff\xd8" + head + codes + segment(0xDA, bytes([1, 1, 0, 1, 0, 0])) + data + b"\xff\xd9"


def lossless_bits(pixels: np.ndarray, bits: int) -> str:
    text = ""
    for row in range(HEIGHT):
        for column in range(WIDTH):
            if column > 0:
                predicted = int(pixels[row, column - 1])
            else:
                predicted = int(pixels[row - 1, 0]) if row > 0 else 1 << (bits - 1)
            difference = int(pixels[row, column]) - predicted
            size = abs(difference).bit_length()
            low = difference if difference > 0 else difference + (1 << size) - 1
            text += f"{size:05b}" + (f"{low:0{size}b}" if size else "")
    return text


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker, *divmod(len(content) + 2, 256)]) + content


def jpeg(pixels: np.ndarray, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def item(**elements) -> Dataset:
    ds = Dataset()
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def lut(entries: np.ndarray, first: int, bits: int) -> Sequence:
    table = item(LUTDescriptor=[len(entries), first, bits])
    table.add_new(0x00283006, "OW", entries.astype("<u2").tobytes())
    table["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    return Sequence([table])


def write_files(folder: Path) -> None:
    ct = film(-1000, 1500)
    hounsfield = {"RescaleSlope": 1, "RescaleIntercept": -1024}
    lung = {"WindowCenter": [-600, 40], "WindowWidth": [1500, 400]}
    save(folder, "ct", dataset(ct + 1024, 12, **hounsfield, **lung))
    save(folder, "ct_signed_implicit", dataset(ct, 16, WindowCenter=40, WindowWidth=400), ImplicitVRLittleEndian)
    save(folder, "ct_big_endian", dataset(ct + 1024, 12, **hounsfield, **lung), ExplicitVRBigEndian)
    save(folder, "ct_deflated", dataset(ct + 1024, 12, **hounsfield, **lung), DeflatedExplicitVRLittleEndian)
    save(folder, "no_window", dataset(film(100, 900), 12))
    save(folder, "monochrome1", dataset(film(0, 1023), 10, PhotometricInterpretation="MONOCHROME1"))
    save(folder, "sigmoid", dataset(film(0, 4095), 12, WindowCenter=2000, WindowWidth=1500, VOILUTFunction="SIGMOID"))
    save(folder, "exact", dataset(film(0, 255), 8, WindowCenter=100, WindowWidth=90, VOILUTFunction="LINEAR_EXACT"))
    curve = np.round(4095 * np.linspace(0, 1, 1000) ** 2)
    save(folder, "voi_lut", dataset(film(-500, 700), 12, VOILUTSequence=lut(curve, -400, 12)))
    levels = {"WindowCenter": 20000, "WindowWidth": 30000}
    save(folder, "modality_lut", dataset(film(0, 1023), 10, ModalityLUTSequence=lut(16 * curve[::-1], 20, 16), **levels))
    save(folder, "rle", dataset(film(0, 4095), 12), RLELossless, "pydicom")
    save(folder, "jpeg_ls", dataset(film(0, 4095), 12), JPEGLSLossless, "pyjpegls")
    save(folder, "jpeg_2000", dataset(film(-900, 900), 12), JPEG2000Lossless, "pylibjpeg")
    grey = film(0, 4095)
    encapsulated(folder, "jpeg_lossless", dataset(grey, 12), lossless_jpeg(grey, 12), JPEGLosslessSV1)
    whole = grey.copy()  # its last code ends where a byte does
    while len(lossless_bits(whole, 12)) % 8 > 0:
        whole[-1, -1] = (2 * whole[-1, -1] + 1) % 4096
    encapsulated(folder, "jpeg_lossless_whole_bytes", dataset(whole, 12), lossless_jpeg(whole, 12), JPEGLosslessSV1)
    byte = film(0, 255)
    encapsulated(folder, "jpeg", dataset(byte, 8), jpeg(byte), JPEGBaseline8Bit)
    rgb = np.stack([film(0, 255, seed) for seed in range(3)], axis=-1)
    shared = dataset(rgb, 8, PhotometricInterpretation="YBR_FULL_422")
    encapsulated(folder, "jpeg_colour", shared, jpeg(rgb, subsampling="4:2:2"), JPEGBaseline8Bit)
    save(folder, "rgb", dataset(rgb, 8))
    planes = dataset(rgb, 8, PlanarConfiguration=1)
    planes.PixelData = rgb.astype(np.uint8).transpose(2, 0, 1).tobytes()
    save(folder, "rgb_planes", planes)
    save(folder, "ybr_full", dataset(rgb, 8, PhotometricInterpretation="YBR_FULL"))
    palette = dataset(film(0, 255), 8, PhotometricInterpretation="PALETTE COLOR")
    for i, colour in enumerate(("Red", "Green", "Blue")):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = np.roll(np.arange(256), 60 * i) * 257
        setattr(palette, f"{colour}PaletteColorLookupTableData", entries.astype("<u2").tobytes())
    save(folder, "palette", palette)
    frames = np.stack([film(0, 4095, seed) for seed in range(3)])
    groups = [
        item(FrameVOILUTSequence=Sequence([item(WindowCenter=center, WindowWidth=1000)])) for center in (800, 1600, 2400)
    ]
    rescale = item(RescaleSlope=0.5, RescaleIntercept=10, RescaleType="US")
    shared_groups = Sequence([item(PixelValueTransformationSequence=Sequence([rescale]))])
    both = {"PerFrameFunctionalGroupsSequence": Sequence(groups), "SharedFunctionalGroupsSequence": shared_groups}
    save(folder, "frames", dataset(frames, 12, **both))
    save(folder, "frames_rle", dataset(frames, 12, **both), RLELossless, "pydicom")
    file = (folder / "ct.dcm").read_bytes()
    head = 132 + 12 + int.from_bytes(file[140:144], "little")
    (folder / "ct_without_head.dcm").write_bytes(file[head:])


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder)
    shown = {}
    for file in sorted(folder.glob("*.dcm")):
        ds = pydicom.dcmread(file, force=True)
        if file.stem == "ct_without_head":
            ds = pydicom.dcmread(folder / "ct.dcm")
        frames = [frame_pixels(ds, frame) for frame in range(int(ds.get("NumberOfFrames", 1)))]
        channels = 3 if frames[0].ndim == 3 else 1
        shown[file.stem] = {"channels": channels, "frames": [b64encode(f.tobytes()).decode() for f in frames]}
    about = {"pydicom": pydicom.__version__, "width": WIDTH, "height": HEIGHT, "files": shown}
    (folder / "golden.json").write_text(json.dumps(about) + "\n")


main()
