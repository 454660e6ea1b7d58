"""Forty small pictures whose store is made, also by a process that is killed meanwhile."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from medfl.datasets.registry import get
from medfl.imaging.images import read_image
from medfl.store import DatasetInfo, Sample, build, decoding, write_store
from medfl.store.build import build_store
from medfl.store.raw import RawData

N = 40


INFO = DatasetInfo(
    name="toy",
    title="Toy",
    classes=("a", "b"),
    task="multiclass",
    modality="XC",
    synthetic=True,
    citation="",
    licence="",
)


def picture(k: int) -> np.ndarray:
    """The k-th grey image, (6, 6) uint8."""
    return np.random.default_rng(k).integers(0, 256, (6, 6), dtype=np.uint8)


def decode(path: Path) -> np.ndarray:
    return read_image(path, 6, channels=1)


def raw_of(folder: Path, decoder=decode, n: int = N) -> RawData:
    sources = [folder / f"{k:03d}.png" for k in range(n)]
    samples = [Sample(f"s{k:03d}", ("ab"[k % 2],), f"p{k // 2}") for k in range(n)]
    return RawData(samples, sources, decoder, fingerprint="tables")


def dying_decoder(row: int):
    """Kills the process that makes the store, which is another one than that which decodes."""

    def decoder(path: Path) -> np.ndarray:
        if path.name == f"{row:03d}.png":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(10)  # until the end that comes with its parent's
        return decode(path)

    return decoder


def build_and_die(folder: str, moment: str) -> None:
    """In a process of its own: prepare the store, and be killed at this moment."""
    decoding.SYNC_EVERY = 8
    word, number = moment.split()

    def die_at(module, name, before):
        function, left = getattr(module, name), [int(number)]

        def wrapped(*arguments, **options):
            left[0] -= 1
            if before and not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **options)
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(module, name, wrapped)

    decoder = dying_decoder(int(number)) if word == "decode" else decode
    if word == "fsync":
        die_at(os, "fsync", before=False)
    elif word == "describe":
        die_at(build, "describe_store", before=True)
    elif word == "moved":
        die_at(build.os, "replace", before=False)
    build_store(Path(folder, "toy"), INFO, raw_of(Path(folder, "raw"), decoder), "key")


def content(store: Path) -> dict[str, str]:
    """Hashes of all that must not depend on what happened meanwhile."""
    names = ("images.npy", "samples.csv", "dataset.yaml")
    return {name: hashlib.sha256((store / name).read_bytes()).hexdigest() for name in names}


def write_small_phantom(folder: Path) -> None:
    """Write a store of 60 samples of 60 patients under the phantom's name, in its usual place."""
    info = get("phantom").info(RawData([], [], 60, ""))
    samples = [Sample(f"s{i}", (info.classes[i % 5],), group=f"p{i}") for i in range(60)]
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    write_store(folder / "data" / "prepared" / "phantom", info, samples, images)


def write_run_of_two_clients(folder: Path, **sections: Any) -> None:
    """Write ``run.yaml``, a round of two clients, and its store of 40 samples of two classes.

    ``sections`` are further ones of the file, and more keys of ``federated_learning``.
    """
    samples = [Sample(f"s{i}", ("ab"[i % 2],), f"p{i}", "", "DX") for i in range(40)]
    info = DatasetInfo("phantom", "test", ("a", "b"), "multiclass", "DX", True, "", "")
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    write_store(folder / "data/prepared/phantom", info, samples, images)
    learning = {"rounds": 1, "num_clients": 2} | sections.pop("federated_learning", {})
    settings = {"partition": "iid", "model": "logistic", "federated_learning": learning, **sections}
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
