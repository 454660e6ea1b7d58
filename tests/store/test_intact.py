"""A store that is not what was prepared is refused by whoever opens it."""

from __future__ import annotations

import os

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.store import DatasetInfo, Sample, Store, intact_images, write_store

INFO = DatasetInfo("toy", "Toy", ("a", "b"), "multiclass", "XC", True, "none", "none")
SAMPLES = [Sample(f"s{k}", (label,), f"g{k}") for k, label in enumerate("aba")]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 1, 4, 4)
    write_store(tmp_path / "toy", INFO, SAMPLES, images)
    return tmp_path / "toy"


def flip(path, place=-1):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("place", [-1, -20, -48])
def test_a_flipped_bit_of_the_images(path, place):
    flip(path / "images.npy", place)
    with pytest.raises(MedflError, match=r"images\.npy is not what was prepared .*medfl prepare"):
        Store.open(path)


@pytest.mark.parametrize("key", ["mean", "std"])
def test_an_edited_description(path, key):
    text = (path / "dataset.yaml").read_text()
    start = text.index(f"{key}:\n- ") + len(f"{key}:\n- ")
    (path / "dataset.yaml").write_text(text[:start] + "9" + text[start:])
    with pytest.raises(MedflError, match="damaged or was edited, in samples, classes, mean"):
        Store.open(path)


def test_swapped_classes_and_an_edited_table(path, caplog):
    text = (path / "dataset.yaml").read_text()
    (path / "dataset.yaml").write_text(text.replace("- a\n- b\n", "- b\n- a\n"))
    with pytest.raises(MedflError, match="damaged or was edited"):
        Store.open(path)
    (path / "dataset.yaml").write_text(text)
    before = Store.open(path).fingerprint()
    table = (path / "samples.csv").read_text()
    (path / "samples.csv").write_text(table.replace(",a,", ",b,"))
    with pytest.raises(MedflError, match="damaged or was edited"):
        Store.open(path)
    (path / "samples.csv").write_text(table)
    assert Store.open(path).fingerprint() == before
    assert "was edited" not in caplog.text
    for old, new in (("notes: ''", "notes: more"), ("synthetic: true", "synthetic: false")):
        caplog.clear()
        (path / "dataset.yaml").write_text(text.replace(old, new))
        assert Store.open(path).fingerprint() == before
        assert "dataset.yaml was edited since it was prepared" in caplog.text


def test_large_images_are_read_once_for_each_state_of_their_file(path, monkeypatch):
    reads, original = [], intact_images.sha256_file
    monkeypatch.setattr(intact_images, "NOTED_BYTES", 0)
    monkeypatch.setattr(
        intact_images, "sha256_file", lambda file: reads.append(file) or original(file)
    )
    for _ in range(3):
        Store.open(path)
    assert len(reads) == 1
    Store.open(path).verify()
    assert len(reads) == 2
    stat = (path / "images.npy").stat()
    flip(path / "images.npy")
    os.utime(path / "images.npy", ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as if nothing was
    with pytest.raises(MedflError, match="is not what was prepared"):
        Store.open(path)
