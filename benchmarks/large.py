"""Takes a set of the size of ChestX-ray14 (112,120 images) through all steps, and times them.

``python -m benchmarks.large --folder PLACE`` writes that many PNG files (some GB, some minutes) and
measures on them; the part of ``python -m benchmarks`` called ``large`` only compares training from
the disk with training from memory.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.federations import equal_split, random_store, trainer
from benchmarks.timing import Cost, Result, child, compare, cost, environment, interleave
from medfl.datasets.base import Dataset, Places
from medfl.federated.usage import peak_memory
from medfl.files import sha256_file
from medfl.imaging.images import read_image
from medfl.store import Sample, Store, write_store
from medfl.store.raw import RawData

FILES, PATIENTS = 112_120, 30_805  # of ChestX-ray14
CLASSES = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia")
CLIENTS, BATCH, STEPS = 4, 32, 8


# --- files as ChestX-ray14 has them


def write_files(folder: Path, count: int, side: int) -> None:
    """Write a table and ``count`` PNG files, each with pixels of its own."""
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    # Smooth pictures with a little noise: a PNG of them takes as long to decode as a radiograph's.
    waves = [np.sin(np.linspace(0, k, side)) for k in (2, 3, 5, 7)]
    grounds = [128 + 100 * np.outer(a, b) for a in waves for b in waves]
    noise = random.normal(0, 6, (64, side, side))
    with (folder / "Data_Entry_2017.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Image Index", "Finding Labels", "Patient ID", "View Position"])
        for k in range(count):
            name = f"{k:08d}_000.png"
            pixels = grounds[k % 16] + noise[random.integers(64)] + random.integers(-20, 20)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / name)
            found = [CLASSES[i] for i in random.permutation(len(CLASSES))[: random.integers(3)]]
            patient = k * PATIENTS // FILES
            table.writerow(
                [name, "|".join(found) or "No Finding", patient, "PA" if k % 3 else "AP"]
            )


@dataclass(frozen=True)
class Radiographs(Dataset):
    """Reads that folder as an entry of the catalog does."""

    count: int = FILES

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        folder = places.data_root
        with (folder / "Data_Entry_2017.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))[: self.count]
        samples = [
            Sample(
                id=row["Image Index"].removesuffix(".png"),
                labels=tuple(n for n in row["Finding Labels"].split("|") if n != "No Finding"),
                group=row["Patient ID"],
                modality="DX",
                attributes={"view": row["View Position"]},
            )
            for row in rows
        ]
        return RawData(
            samples=samples,
            sources=[folder / "images" / row["Image Index"] for row in rows],
            decode=lambda path: read_image(path, size, channels=1),
            fingerprint=sha256_file(folder / "Data_Entry_2017.csv"),
        )


def dataset(count: int) -> Radiographs:
    return Radiographs(
        name="radiographs",
        title="PNG files of noise",
        classes=CLASSES,
        modality="DX",
        citation="",
        licence="",
        where="",
        default_size=64,
        task="multilabel",
        synthetic=True,
        count=count,
    )


# --- steps, each in a process of its own


def prepare(folder: Path, store: Path, count: int, size: int) -> dict[str, Any]:
    from medfl.store.build import build_store

    entry = dataset(count)
    before = time.process_time(), time.perf_counter()
    raw = entry.read(Places(folder, folder), size)
    build_store(store, entry.info(raw), raw, f"size {size}")
    cpu, wall = time.process_time() - before[0], time.perf_counter() - before[1]
    return {"seconds": wall, "cores": cpu / wall, "peak_mib": peak_memory() / 2**20}


def open_store(store: Path) -> dict[str, Any]:
    import medfl  # noqa: F401

    before = time.perf_counter()
    opened = Store.open(store)
    seconds = time.perf_counter() - before
    opened.fingerprint()
    total = time.perf_counter() - before
    return {"seconds": seconds, "with_fingerprint": total, "rows": len(opened)}


def divide(store: Path, split_path: Path) -> dict[str, Any]:
    """Do what ``medfl split`` and the start of a run do, and time each part."""
    from medfl.partition import Split, make_split
    from medfl.partition.write import write_split

    opened, times = Store.open(store), {}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        before = time.perf_counter()
        result = function()
        times[name] = time.perf_counter() - before
        return result

    split = timed("make_split", lambda: make_split(opened, "dirichlet-0.5", 20, 0))
    timed("write_split", lambda: write_split(opened, "dirichlet-0.5", 20, 0, split_path))
    timed("read_split", lambda: Split.read(split_path, opened))
    import torch  # noqa: F401

    from medfl.federated import FederatedData

    timed("data_in_memory", lambda: FederatedData(opened, split, images="memory"))
    timed("data_on_disk", lambda: FederatedData(opened, split, images="disk"))
    return times


def noise_store(store: Path, count: int, side: int) -> None:
    """Write a store of random grey images, which are never in memory together."""
    random = np.random.default_rng(0)
    info = dataset(count).info(RawData([], [], len, ""))
    samples = [Sample(f"s{k:06d}", (CLASSES[k % len(CLASSES)],), f"g{k:06d}") for k in range(count)]
    write_store(
        store,
        info,
        samples,
        (random.integers(0, 256, (1, side, side), dtype=np.uint8) for _ in range(count)),
    )


def train_limited(store: Path, images: str, limit_mib: int) -> dict[str, Any]:
    """Train two rounds in a process that may have ``limit_mib`` MiB of its own (0: no limit).

    RLIMIT_DATA counts the heap and private maps, not the code of libraries (PyTorch's is 0.4 GB).
    """
    import torch

    from medfl.federated.disk import DiskImages

    torch.set_num_threads(1)
    if limit_mib:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_mib << 20, limit_mib << 20))
    opened = Store.open(store)
    split = equal_split(opened, CLIENTS, (len(opened) - 400) // CLIENTS)
    started = time.perf_counter()
    federation = trainer(
        opened, split, model="cnn", rounds=2, local_steps=STEPS, batch_size=BATCH, images=images
    )
    federation.train()
    return {
        "on_disk": isinstance(federation.data.images, DiskImages),
        "store_mib": opened.images.nbytes / 2**20,
        "limit_mib": limit_mib,
        "peak_mib": peak_memory() / 2**20,
        "seconds": time.perf_counter() - started,
        "loss": federation.history[-1]["train_loss"],
    }


STEPS_BY_NAME = {
    "write": write_files,
    "prepare": prepare,
    "open": open_store,
    "divide": divide,
    "noise": noise_store,
    "train": train_limited,
}


def step(name: str, *arguments: Any, **options: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.large", "--step", name, *map(str, arguments)]
    return json.loads(child(command, env=environment(), **options)[1].splitlines()[-1])


# --- training from the disk against training from memory


def drop_cache(store: Path) -> None:
    """Make the system forget the file's pages."""
    descriptor = os.open(store / "images.npy", os.O_RDONLY)
    os.fsync(descriptor)  # pages that wait to be written cannot be forgotten
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def run(pairs: int) -> Iterator[Result]:
    """Compare rounds with images on the disk and the same rounds in memory, by wall time."""
    import torch

    torch.set_num_threads(1)
    cases = [
        ("cnn", 28, "iid", False),
        ("cnn", 28, "iid", True),
        ("cnn", 64, "iid", False),
        ("cnn", 64, "iid", True),
        ("cnn", 64, "scanner-0.5", False),
        ("resnet18", 64, "iid", False),
        ("resnet18", 64, "iid", True),
    ]
    with tempfile.TemporaryDirectory(dir=os.environ.get("MEDFL_BENCHMARK_FOLDER")) as folder:
        stores = {size: random_store(Path(folder, str(size)), 4096 + 80, size) for size in (28, 64)}
        for model, size, partition, cold in cases:
            steps = STEPS if model == "cnn" else 2
            rounds = {}
            for images in ("disk", "memory"):
                split = equal_split(stores[size], CLIENTS, 1024)
                split.partition = partition
                rounds[images] = _rounds(
                    trainer(
                        stores[size],
                        split,
                        model=model,
                        rounds=10_000,
                        local_steps=steps,
                        batch_size=BATCH,
                        images=images,
                    )
                )

            def ours(rounds: Any = rounds, size: int = size, cold: bool = cold) -> Cost:
                if cold:
                    drop_cache(stores[size].path)
                return cost(rounds["disk"])

            costs = interleave(ours, lambda rounds=rounds: cost(rounds["memory"]), pairs)
            result = compare("", costs, None)
            wall = [disk.wall / memory.wall for disk, memory in costs]
            cache = "cold" if cold else "warm"
            yield Result(
                f"round, disk ÷ memory, {model} {size} px {partition}, {cache}",
                wall,
                None if cold or partition != "iid" else 1.1,
                note=f"wall; {result.note.split(';')[0]}",
            )


def _rounds(federation: Any) -> Callable[[], object]:
    numbers = iter(range(1, 10_000))
    return lambda: federation._round(next(numbers))


# --- the whole of it


def whole(folder: Path, count: int, side: int, size: int) -> None:
    """Write, prepare (a tenth, all, with an interruption), open, divide, train under a limit."""
    raw = folder / "raw"
    if not raw.exists():
        _tell("files written", step("write", raw, count, side))
    _tell("a tenth prepared", step("prepare", raw, folder / "tenth", count // 10, size))
    _tell("all prepared", step("prepare", raw, folder / "store", count, size))
    command = [sys.executable, "-m", "benchmarks.large", "--step", "prepare", str(raw)]
    command += [str(folder / "again"), str(count), str(size)]
    killed = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    done = folder / ".again.partial" / "done.jsonl"
    while killed.poll() is None and _lines(done) < count // 2:
        time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    _tell(f"killed after {_lines(done):,}, gone on", step("prepare", *command[5:]))
    for name in ("images.npy", "samples.csv", "dataset.yaml"):
        assert sha256_file(folder / "again" / name) == sha256_file(folder / "store" / name), name
    _tell("opened", step("open", folder / "store"))
    _tell("divided", step("divide", folder / "store", folder / "dirichlet-0.5" / "seed0.csv"))
    step("noise", folder / "noise", 2 * 2**30 // 224**2, 224)
    _tell("trained, no limit, in memory", step("train", folder / "noise", "memory", 0))
    _tell("trained, half the store", step("train", folder / "noise", "auto", 1024))


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def _tell(name: str, numbers: dict[str, Any]) -> None:
    words = [f"{k} {v:,.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in numbers.items()]
    print(f"{name:32}{', '.join(words)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to write some GB")
    parser.add_argument("--count", type=int, default=FILES)
    parser.add_argument("--side", type=int, default=96, help="of the PNG files, pixels")
    parser.add_argument("--size", type=int, default=64, help="of the store, pixels")
    parser.add_argument("--step", choices=STEPS_BY_NAME)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    if options.step:
        words = [
            int(w) if w.isdigit() else w if w.isalpha() else Path(w) for w in options.arguments
        ]
        print(json.dumps(STEPS_BY_NAME[options.step](*words) or {}))
    elif options.folder:
        whole(options.folder, options.count, options.side, options.size)
    else:
        parser.error("name a --folder")


if __name__ == "__main__":
    main()
