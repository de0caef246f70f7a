"""Writes small NIfTI volumes, lying in every way, and their axial slices as nibabel lays them out.

    python scripts/goldens/nifti.py test/golden/nifti

Needs nibabel and numpy. Every file's texts name a patient who must be found in nothing that viva writes. A slice is shown
as a film: the patient's right on the left, the front above, the first slice the lowest.
"""

import io
import json
import sys
from base64 import b64encode
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, apply_orientation, ornt_transform

SIZES = (11, 9, 5)  # to the right, the front and the head
WINDOW = {"center": 40, "width": 400}
CANARY = b"CANARY PATIENT"


def volume() -> np.ndarray:
    """A ball that is off every centre, in air, with some noise, in Hounsfield units."""
    x, y, z = np.mgrid[0 : SIZES[0], 0 : SIZES[1], 0 : SIZES[2]]
    ball = (x - 7) ** 2 + (y - 3) ** 2 + (2 * z - 4) ** 2 < 12
    noise = np.random.default_rng(0).uniform(-60, 60, SIZES)
    return np.round(np.where(ball, 60, -1000 + 190 * z + 20 * x) + noise)


def turned(degrees: tuple[float, float, float]) -> np.ndarray:
    out = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        out = out @ turn
    return out


def image(codes: str, dtype=np.int16, kind=nib.Nifti1Image, turn=(0, 0, 0), zooms=(0.7, 0.8, 3.0), forms=(1, 1), big=False):
    """The volume stored along the axes `codes`, such as "LPS", turned by some degrees."""
    right = np.diag([*zooms, 1.0])
    right[:3, :3] = turned(turn) @ right[:3, :3]
    right[:3, 3] = [-30, 12, 5]
    ornt = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    data = apply_orientation(volume(), ornt)
    affine = right @ inv_ornt_aff(ornt, SIZES)
    header = kind.header_class(endianness=">" if big else "<")
    header.set_data_dtype(dtype)
    out = kind(data.astype(dtype), affine, header)
    out.set_sform(affine, forms[0])
    out.set_qform(affine, forms[1])
    for name in ("descrip", "aux_file", "intent_name", "db_name"):
        if name in out.header:
            out.header[name] = CANARY
    out.header.extensions.append(nib.nifti1.Nifti1Extension("comment", CANARY))
    return out


def scaled(codes: str):
    out = image(codes, dtype=np.uint8)
    stored = np.clip(np.round((volume_of(image(codes)) + 1100) / 8), 0, 255).astype(np.uint8)
    out = out.__class__(stored, out.affine, out.header)
    out.header.set_slope_inter(8, -1100)
    return out


def volume_of(img) -> np.ndarray:
    return np.asanyarray(img.dataobj)


def with_range(codes: str):
    out = image(codes)
    out.header["cal_min"], out.header["cal_max"] = -200, 300
    return out


FILES = {
    "ras.nii": lambda: image("RAS"),
    "las.nii.gz": lambda: image("LAS", zooms=(0.7, 0.7, 2)),
    "lps_float.nii.gz": lambda: image("LPS", dtype=np.float32, turn=(4, -7, 12)),
    "sagittal.nii": lambda: image("PSR", dtype=np.int32),
    "coronal_qform.nii": lambda: image("RSA", forms=(0, 1), turn=(-9, 3, 5)),
    "left_handed_qform.nii": lambda: image("LIA", forms=(0, 1), turn=(2, 11, -6)),
    "without_forms.nii": lambda: image("LAS", forms=(0, 0)),
    "big_endian.nii": lambda: image("ARS", big=True),
    "nifti2.nii.gz": lambda: image("LPI", dtype=np.float64, kind=nib.Nifti2Image),
    "scaled.nii": lambda: scaled("RPS"),
    "range.nii": lambda: with_range("LAI"),
}


def greys(values: np.ndarray, own: tuple[float, float], window: dict | None) -> np.ndarray:
    if window is None:
        share = (values - own[0]) / (own[1] - own[0])
    else:  # DICOM PS3.3 C.11.2.1.2
        center, width = window["center"], window["width"]
        share = (values - (center - 0.5)) / (width - 1) + 0.5
        share = np.where(values <= center - 0.5 - (width - 1) / 2, 0, share)
        share = np.where(values > center - 0.5 + (width - 1) / 2, 1, share)
    return np.floor(255 * np.clip(share, 0, 1) + 0.5).astype(np.uint8)


def slices(file: Path, window: dict | None) -> list[np.ndarray]:
    img = nib.load(file)
    values = apply_orientation(img.get_fdata(), io_orientation(img.affine))
    low, high = float(img.header["cal_min"]), float(img.header["cal_max"])
    own = (low, high) if high > low else (values.min(), values.max())
    return [greys(values[::-1, ::-1, k].T, own, window) for k in range(values.shape[2])]


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, make in FILES.items():
        path = out / name
        plain = io.BytesIO(make().to_bytes())
        if name.endswith(".gz"):
            import gzip

            path.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
        else:
            path.write_bytes(plain.getvalue())
        assert CANARY in plain.getvalue()
        shown = {key: slices(path, window) for key, window in (("own", None), ("window", WINDOW))}
        files[name] = {
            "width": shown["own"][0].shape[1],
            "height": shown["own"][0].shape[0],
            **{key: [b64encode(each.tobytes()).decode() for each in of] for key, of in shown.items()},
        }
    versions = {"nibabel": nib.__version__, "numpy": np.__version__}
    (out / "golden.json").write_text(json.dumps({"versions": versions, "window": WINDOW, "files": files}, indent=1) + "\n")


main()
