"""Measures how many DICOM files are scanned and decoded per second, by threads and by processes.

    python benchmarks/dicom_reading.py [--files 2000] [--workers 2] [--folder real/dicom/files]

Synthetic files have 256² pixels of 16 bits (a smooth image with noise). A third is uncompressed, a
third RLE, a third JPEG 2000 lossless.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from medfl.files.parallel import cpu_count, map_ordered
from medfl.imaging.dicom import DicomPreprocessor
from medfl.imaging.dicom.scan import scan_file

KINDS = {"uncompressed": None, "rle": "RLELossless", "jpeg2000": "JPEG2000Lossless"}


def make(folder: Path, files: int) -> None:
    """Write ``files`` files, with one subfolder per transfer syntax."""
    from pydicom import uid
    from pydicom.dataset import FileDataset, FileMetaDataset

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    for kind, syntax in KINDS.items():
        (folder / kind).mkdir()
        frames: list[FileDataset] = []
        for number in range(files // len(KINDS)):
            path = folder / kind / f"{number:05d}"
            if number < 8:  # eight pictures are compressed; their copies have UIDs of their own
                image = 1000 * (np.sin(x / 40 + number) + np.cos(y / 30) + 2)
                image = np.uint16(image + rng.integers(0, 60, (256, 256)))
                meta = FileMetaDataset()
                meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
                file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
                file.SOPClassUID = meta.MediaStorageSOPClassUID = uid.MRImageStorage
                file.Rows = file.Columns = 256
                file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
                file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
                file.PixelRepresentation, file.PixelData = 0, image.tobytes()
                file["PixelData"].VR = "OW"
                if syntax:
                    file.compress(getattr(uid, syntax))
                frames.append(file)
            file = frames[number % 8]
            file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid()
            file.save_as(path)


def rate(function, paths: list[Path], workers: int, processes: bool) -> float:
    """Files per second, the start of the workers included."""
    start = time.perf_counter()
    if processes:
        # Not "fork": the threads of PyTorch do not survive it.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for _ in pool.map(function, paths, chunksize=8):
                pass
    else:
        for _ in map_ordered(function, paths, "files", workers, unit="file"):
            pass
    return len(paths) / (time.perf_counter() - start)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=cpu_count())
    parser.add_argument("--folder", type=Path, help="real files; synthetic ones if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        if options.folder is None:
            make(root, options.files)
        sets = {kind: sorted((root / kind).iterdir()) for kind in KINDS if not options.folder}
        sets = sets or {"real": sorted(root.rglob("*.dcm"))}
        print(f"{options.workers} workers; files per second by one thread, threads, processes")
        for kind, paths in sets.items():
            for what, function in (("headers", scan_file), ("decode", DicomPreprocessor(64))):
                ways = ((1, False), (options.workers, False), (options.workers, True))
                rates = [rate(function, paths, *way) for way in ways]
                numbers = " ".join(f"{value:8.0f}" for value in rates)
                print(f"{kind:13} {what:8} {len(paths):5} files {numbers}", flush=True)


if __name__ == "__main__":
    main()
