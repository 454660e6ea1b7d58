"""Makes stores of small files on one core and on two, and reads a large JPEG.

``python -m benchmarks.reading`` also prints the peak memory of each process.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import peak_memory
from benchmarks.timing import Cost, Result, child, environment, interleave
from medfl.datasets.described.decode import Reader
from medfl.files import sha256_file
from medfl.imaging.dicom import DicomPreprocessor
from medfl.imaging.images import read_image
from medfl.imaging.modality import preprocess_for
from medfl.store import DatasetInfo, Sample
from medfl.store.build import build_store
from medfl.store.raw import RawData

FILES = 5000
LARGE, LARGE_FILES = (3872, 2592), 8
CORES = 2
INFO = DatasetInfo(
    name="files",
    title="Files",
    classes=("a", "b"),
    task="multiclass",
    modality="OT",
    synthetic=True,
    citation="",
    licence="",
)
# What is read, how, and the most that two cores may take of one core's wall time.
KINDS: dict[str, tuple[str, Callable[[Path], np.ndarray], float | None]] = {
    "jpg": ("JPEG of 200 × 150", partial(read_image, size=64), 0.556),
    "png": ("PNG of 96 × 96", partial(read_image, size=64, channels=1), 0.556),
    "dcm": ("DICOM of 128 × 128", DicomPreprocessor(64), 0.556),
    "large": ("JPEG of 3872 × 2592", Reader((preprocess_for("photo"),), 64), None),
}


def run(pairs: int) -> Iterator[Result]:
    """Compare wall times; the machine must have two cores for this alone."""
    with tempfile.TemporaryDirectory() as name:
        for kind, (words, _, target) in KINDS.items():
            folder = Path(name, kind)
            write(folder, kind)
            two, one = partial(measured, folder, CORES), partial(measured, folder, 1)
            costs = interleave(two, one, pairs)
            images = len(list(folder.iterdir()))
            note = f"wall; {costs[0][1].cpu / images * 1000:.2f} ms of processor a file on one core"
            ratios = [ours.wall / other.wall for ours, other in costs]
            yield Result(f"a store on two cores ÷ on one, {words}", ratios, target, note=note)
            if kind == "large":
                each = [ours.cpu / images for ours, _ in costs]
                yield Result(f"processor for a {words} to 64²", each, 0.1, "s")


def write(folder: Path, kind: str) -> None:
    """Write files of a kind, with pixels of their own."""
    from PIL import Image

    folder.mkdir()
    random = np.random.default_rng(0)
    width, height = {"jpg": (200, 150), "png": (96, 96), "dcm": (128, 128), "large": LARGE}[kind]
    y, x = np.mgrid[:height, :width]
    for k in range(LARGE_FILES if kind == "large" else FILES):
        path = folder / f"{k:05d}.{'jpg' if kind == 'large' else kind}"
        grey = 128 + 60 * np.sin(x / (20 + k % 7)) + 40 * np.cos(y / (30 + k % 5))
        grey += random.normal(0, 6, grey.shape)
        if kind == "dcm":
            write_dicom(path, (16 * grey).clip(0, 4095).astype(np.uint16))
        elif kind == "png":
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path)
        else:
            colour = grey[..., None] + random.integers(-20, 20, 3)
            Image.fromarray(colour.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def write_dicom(path: Path, pixels: np.ndarray) -> None:
    """Write a slice without compression."""
    from pydicom import uid
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID = meta.MediaStorageSOPClassUID = uid.MRImageStorage
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 12, 11
    file.PixelRepresentation, file.PixelData = 0, pixels.tobytes()
    file["PixelData"].VR = "OW"
    file.save_as(path, enforce_file_format=True)


def measured(folder: Path, cores: int) -> Cost:
    """What a store costs in a process that may use so many cores, without the interpreter."""
    return Cost(*told(folder, cores)["cost"])


def told(folder: Path, cores: int) -> dict[str, Any]:
    """What such a process says."""
    command = [sys.executable, "-m", "benchmarks.reading", str(folder), str(cores)]
    output = child(command, env=environment())[1]
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def make(folder: Path, cores: int) -> dict[str, Any]:
    """Be that process: make the store, and say what it took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    sources = sorted(folder.iterdir())
    samples = [Sample(f"s{k}", ("ab"[k % 2],), f"p{k}") for k in range(len(sources))]
    raw = RawData(samples, sources, KINDS[folder.name][1], "")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        store = build_store(Path(name, "files"), INFO, raw, "")
        wall, digest = time.perf_counter() - started, sha256_file(store.path / "images.npy")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "cost": [sum(one.ru_utime + one.ru_stime for one in used), wall],
        "peak_mib": [peak_memory() >> 20, used[1].ru_maxrss >> 10],
        "digest": digest,
    }


def main() -> None:
    """Print what one process says of each kind; be one where a folder is given."""
    if len(sys.argv) > 1:
        print(json.dumps(make(Path(sys.argv[1]), int(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as name:
        for kind, (words, _, _) in KINDS.items():
            write(Path(name, kind), kind)
            for cores in (1, CORES):
                print(words, f"{cores} cores", told(Path(name, kind), cores), flush=True)


if __name__ == "__main__":
    main()
