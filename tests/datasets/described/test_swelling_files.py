"""Small files that claim much memory, and files that are not what they are called, among good ones.

Each is listed with the reason, by what it says of itself; the good ones are prepared.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicoms import dataset, write
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from medfl.imaging.kinds import ENDINGS

Writer = Callable[[Path], object]
SEED = np.random.default_rng(0)


def pixels(side: int = 12) -> np.ndarray:
    return SEED.integers(0, 255, (side, side), dtype=np.uint8)


def png(path: Path) -> None:
    """17000 × 10000 grey pixels: 170 MB, of which a tenth is there."""
    header = struct.pack(">IIBBBBB", 17000, 10000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(17001 * 1000))

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def tiff(path: Path) -> None:
    """13000 × 13000 pixels of floating point: 676 MB in strips that are all one."""
    small = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.float32)).save(small, "TIFF", compression="tiff_deflate")
    content = bytearray(small.getvalue())
    start = struct.unpack_from("<I", content, 4)[0]
    for place in range(start + 2, len(content) - 11, 12):
        if struct.unpack_from("<H", content, place)[0] in (256, 257):  # width, length
            struct.pack_into("<HII", content, place + 2, 4, 1, 13000)
    path.write_bytes(content)


def encapsulated(path: Path, frame: bytes, syntax: str, **claims: int) -> None:
    file = dataset(pixels(), "explicit", **claims)
    file.file_meta.TransferSyntaxUID = syntax
    file.PixelData = encapsulate([frame])
    file["PixelData"].VR, file["PixelData"].is_undefined_length = "OB", True
    file.save_as(path, enforce_file_format=True)


def rle(path: Path) -> None:
    """60,000 × 60,000 of 16 bits: 7.2 GB."""
    runs = struct.pack("<16L", 2, 64, 64 + 4000, *[0] * 13) + b"\x81\0" * 4000
    sides = {"Rows": 60000, "Columns": 60000, "BitsAllocated": 16, "BitsStored": 16}
    encapsulated(path, runs, uid.RLELossless, **sides)


def jpeg_in_dicom(path: Path) -> None:
    """The frame says 65,000 × 65,000, the file 12 × 12."""
    frame = io.BytesIO()
    Image.fromarray(pixels()).save(frame, "JPEG")
    content = bytearray(frame.getvalue())
    place = content.index(b"\xff\xc0")
    struct.pack_into(">HH", content, place + 5, 65000, 65000)
    encapsulated(path, bytes(content), uid.JPEGBaseline8Bit)


def jpeg2000_in_dicom(path: Path) -> None:
    frame = io.BytesIO()
    Image.fromarray(pixels()).save(frame, "JPEG2000", no_jp2=True)
    content = bytearray(frame.getvalue())
    struct.pack_into(">LL", content, 8, 90000, 90000)
    encapsulated(path, bytes(content), uid.JPEG2000Lossless)


def deflated(path: Path) -> None:
    """67 MB of zeros, a private element's, in 0.07 MB; after 64 MiB it is refused."""
    small = write(path, pixels(), "deflated").read_bytes()
    meta = 144 + struct.unpack_from("<L", small, 140)[0]
    inside = zlib.decompress(small[meta:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    many = [packer.compress(inside)]
    many.append(packer.compress(struct.pack("<HH2sHL", 0x7FE1, 0x0010, b"OB", 0, 65 * 2**20)))
    many += [packer.compress(bytes(2**20)) for _ in range(65)]
    path.write_bytes(small[:meta] + b"".join(many) + packer.flush())


def npz(path: Path) -> None:
    """100 MB of zeros in 0.1 MB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("image.npy", "w", force_zip64=True) as entry,
    ):
        shape = {"descr": "|u1", "fortran_order": False, "shape": (10000, 10000)}
        np.lib.format.write_array_header_1_0(entry, shape)
        for _ in range(100):
            entry.write(bytes(1_000_000))


def npy(path: Path) -> None:
    with path.open("wb") as file:
        shape = {"descr": "<f8", "fortran_order": False, "shape": (90000, 90000)}
        np.lib.format.write_array_header_1_0(file, shape)


def npy_in_npz(path: Path) -> None:
    inner = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (90000, 90000)}
    np.lib.format.write_array_header_1_0(inner, shape)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("image.npy", inner.getvalue())


def postscript(path: Path) -> None:
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n")


SWELLS, LIMIT = "is refused: it says that it swells", "more than the limit of 4.3 GB"
IMAGES = [
    (".png", png, SWELLS),
    (".tif", tiff, SWELLS),
    (".dcm", rle, LIMIT),
    (".dcm", jpeg_in_dicom, SWELLS),
    (".dcm", jpeg2000_in_dicom, LIMIT),
    (".dcm", deflated, SWELLS),
    (".npz", npz, SWELLS),
    (".npy", npy, LIMIT),
    (".npz", npy_in_npz, LIMIT),
    *((ending, postscript, "of a format that is read") for ending in ENDINGS["image"]),
]
"""Endings, what is written, and words of the reason."""


@pytest.fixture
def ghost(tmp_path_factory, monkeypatch) -> Path:
    """A Ghostscript that writes down that it was started."""
    folder = tmp_path_factory.mktemp("programs")
    log = folder / "log"
    for name in ("gs", "gswin32c", "gswin64c"):
        (folder / name).write_text(f"#!{sys.executable}\nopen({str(log)!r}, 'a').write('x')\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return log


def reasons_of(made, place: Path, writers: Sequence[tuple[str, Writer, str]]) -> list[str]:
    """Write such files among six good ones, prepare them; why each of them was left out."""
    names = [f"IM{number:04d}{ending}" for number, (ending, _, _) in enumerate(writers)]
    for name, (_, writer, _) in zip(names, writers, strict=True):
        writer(place / "raw" / "a" / name)
        assert (place / "raw" / "a" / name).stat().st_size < 5e5
    store = made("folder: ../../raw\nsize: 8\n")
    assert len(store) == 6
    listed = json.loads((store.path / "prepare.json").read_text())["excluded_files"]
    reasons = {Path(one["file"]).name: one["reason"] for one in listed}
    assert set(reasons) == set(names)
    return [reasons[name] for name in names]


def test_images(made, place, ghost):
    for k in range(6):
        (place / "raw" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels()).save(place / "raw" / "ab"[k % 2] / f"good{k}.png")
    reasons = reasons_of(made, place, IMAGES)
    assert [words for _, _, words in IMAGES if words not in reasons.pop(0)] == []
    assert not ghost.exists()


def nifti(path: Path) -> Path:
    voxels = SEED.integers(0, 99, (4, 5, 6)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)
    return path


def claiming(path: Path, *parts: tuple[int, str, float]) -> None:
    """Overwrite parts of the header."""
    content = bytearray(gzip.decompress(nifti(path).read_bytes()))
    for place, kind, value in parts:
        struct.pack_into(kind, content, place, value)
    path.write_bytes(gzip.compress(content))


def zeros(path: Path) -> None:
    """100 MB of zeros in 0.1 MB, and the header says so."""
    content = bytearray(gzip.decompress(nifti(path).read_bytes()))[:352]
    struct.pack_into("<3h", content, 42, 500, 500, 200)
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(content)
        for _ in range(100):
            file.write(bytes(1_000_000))


BEFORE = "says that more than 64 MiB stand before its voxels"
VOLUMES = [
    (".nii.gz", zeros, SWELLS),
    (
        ".nii.gz",
        lambda path: claiming(path, *((42 + 2 * k, "<h", 32000) for k in range(3))),
        LIMIT,
    ),
    (".nii.gz", lambda path: claiming(path, (108, "<f", 1e12)), BEFORE),
    (".nii.gz", lambda path: claiming(path, (108, "<f", float("nan"))), "is damaged"),
    (
        ".nii.gz",
        lambda path: claiming(path, (108, "<f", 400), (348, "<i", 1), (352, "<i", -16)),
        BEFORE,
    ),
]


def test_volumes(made, place):
    for k in range(6):
        (place / "raw" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        nifti(place / "raw" / "ab"[k % 2] / f"good{k}.nii.gz")
    reasons = reasons_of(made, place, VOLUMES)
    assert [words for _, _, words in VOLUMES if words not in reasons.pop(0)] == []
