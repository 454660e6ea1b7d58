"""What a prepared store holds, and what is said of what it does not hold."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import shutil
import struct
import threading
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from toy_stores import INFO, N, decode, picture, raw_of

from medfl.errors import MedflError
from medfl.store import Store
from medfl.store.build import build_store
from medfl.store.raw import RawData


def test_pixels_and_record_are_those_of_the_files(tmp_path, raw):
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    np.testing.assert_array_equal(store.images[:, 0], [picture(k) for k in range(N)])
    files = [hashlib.sha256((raw / f"{k:03d}.png").read_bytes()).hexdigest() for k in range(N)]
    expected = hashlib.sha256(("tables" + "".join(files)).encode()).hexdigest()
    assert store.info.source_fingerprint == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "toy"]
    record = json.loads((tmp_path / "toy" / "prepare.json").read_text())
    assert (record["found"], record["kept"], record["excluded"]) == (N, N, 0)
    store.verify()


def test_what_cannot_be_read_is_listed_without_folders_and_everything_adds_up(tmp_path, raw):
    (raw / "003.png").write_bytes(b"no picture")
    (raw / "005.png").unlink()
    Image.fromarray(picture(0)).save(raw / "007.png")

    def decoder(path):
        image = decode(path)
        return image[:, :4] if path.name == "007.png" else image

    store = build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key", strict=False)
    kept = [k for k in range(N) if k not in (3, 5, 7)]
    assert list(store.ids) == [f"s{k:03d}" for k in kept]
    np.testing.assert_array_equal(store.images[:, 0], [picture(k) for k in kept])
    text = (store.path / "prepare.json").read_text()
    record = json.loads(text)
    assert (record["found"], record["kept"], record["excluded"]) == (N, N - 3, 3)
    assert sum(record["excluded_by_reason"].values()) == 3
    reasons = {one["file"]: one["reason"] for one in record["excluded_files"]}
    assert list(reasons) == ["s003", "s005", "s007"]
    assert "not an image" in reasons["s003"]
    assert reasons["s005"].startswith("the file cannot be read (No such file")
    assert reasons["s007"] == "is uint8 (1, 4, 6), not uint8 (1, 6, 6) as the first"
    assert str(tmp_path) not in text
    assert ".png" not in text


def test_a_file_that_one_may_not_read(tmp_path, raw):
    """As of mode 000; root, who may run this, could read it."""

    def decoder(path):
        if path.name == "004.png":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return decode(path)

    with pytest.raises(
        MedflError, match=r"004\.png cannot be read \(Permission denied\): give you"
    ):
        build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key")
    store = build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key", strict=False)
    record = json.loads((store.path / "prepare.json").read_text())
    (only,) = record["excluded_files"]
    assert only["reason"].startswith("the file cannot be read (Permission denied): give yourself")


def test_nothing_that_can_be_read(tmp_path, raw):
    for file in raw.iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(MedflError, match=r"no image of Toy could be read: all 40 .*40 × the file"):
        build_store(tmp_path / "toy", INFO, raw_of(raw), "key", strict=False)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_two_at_once(tmp_path, raw):
    """The second one is told; the first one's work is left alone."""

    def decoder(path):
        if path.name == "020.png":
            with pytest.raises(MedflError, match="another process is preparing"):
                build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
            (tmp_path / "told").touch()
        return decode(path)

    store = build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key")
    assert (tmp_path / "told").exists()
    np.testing.assert_array_equal(store.images[:, 0], [picture(k) for k in range(N)])


def test_a_file_where_the_folder_is_to_be(tmp_path, raw):
    (tmp_path / "file").write_text("")
    with pytest.raises(MedflError, match=r"cannot write .*file/toy"):
        build_store(tmp_path / "file" / "toy", INFO, raw_of(raw), "key")


def test_pixels_never_lie_in_memory_together(tmp_path):
    """1,000 images of 64 KiB: what is held at any time is a fraction of these 62 MiB."""
    n, image = 1000, np.zeros((1, 256, 256), np.uint8)
    samples = raw_of(tmp_path, n=n).samples
    data = RawData(samples, list(range(n)), lambda row: image + np.uint8(row % 7), "array")
    tracemalloc.start()
    try:
        store = build_store(tmp_path / "toy", INFO, data, "key")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert store.images.nbytes == n * image.nbytes
    assert peak < 24 << 20


def test_nothing_goes_on_after_an_error(tmp_path, raw):
    before = threading.active_count()
    shutil.copy(raw / "000.png", raw / "extra.png")
    (raw / "001.png").write_bytes(b"")
    with pytest.raises(MedflError, match=r"001\.png"):
        build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert threading.active_count() == before
    assert multiprocessing.active_children() == []
    with pytest.raises(MedflError):
        Store.open(tmp_path / "toy")


class Alien(Exception):  # noqa: N818 - as some library names it
    """An error that quotes what it read."""


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (struct.error("Doe"), "(struct.error)"),
        (MemoryError("Doe"), "(MemoryError)"),
        (RecursionError("Doe"), "(RecursionError)"),
        (zlib.error("Doe"), "(zlib.error)"),
        (SystemError("Doe"), "(SystemError)"),
        (SystemExit("Doe"), "(SystemExit)"),
        (KeyError(np.uint8(7)), "(KeyError)"),
        (Alien("Doe"), "Alien)"),
        (None, "was decoded to NoneType, and to no array"),
        ([[0]], "was decoded to list, and to no array"),
        (np.zeros((1, 0, 6), np.uint8), "an array without pixels"),
        (np.zeros((1, 6, 6)), "is float64 (1, 6, 6), not uint8"),
        (np.zeros((6, 6), np.uint8), "is uint8 (6, 6), not uint8"),
    ],
)
@pytest.mark.parametrize("number", [0, 4])
def test_whatever_a_decoder_raises_or_gives_is_listed_and_the_rest_goes_on(
    tmp_path, raw, odd, reason, number
):
    def decoder(path):
        if path.name != f"{number:03d}.png":
            return decode(path)
        if isinstance(odd, BaseException):
            raise odd
        return odd

    store = build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key", strict=False)
    assert list(store.ids) == [f"s{k:03d}" for k in range(N) if k != number]
    text = (store.path / "prepare.json").read_text()
    (only,) = json.loads(text)["excluded_files"]
    assert reason in only["reason"]
    assert "Doe" not in text
    with pytest.raises(MedflError):
        build_store(tmp_path / "strict", INFO, raw_of(raw, decoder), "key")


def test_a_store_that_would_be_refused_is_never_written(tmp_path, raw):
    """Nor does it take the place of a sound one."""
    sound = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    before = (sound.path / "dataset.yaml").read_bytes()
    odd = replace(INFO, spacing=(float("nan"), 1.0, 1.0))
    with pytest.raises(MedflError, match=r"cannot be described \(spacing.0: .*finite"):
        build_store(tmp_path / "toy", odd, raw_of(raw), "key")
    assert (Store.open(sound.path).path / "dataset.yaml").read_bytes() == before
