"""Preparing a store: interrupted, gone on with, disturbed; the result has to be the same bits."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medfl.errors import MedflError
from medfl.imaging.images import read_image
from medfl.store import DatasetInfo, Sample, Store, build, decoding
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
    def decoder(path: Path) -> np.ndarray:
        if path.name == f"{row:03d}.png":
            os.kill(os.getpid(), signal.SIGKILL)
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


@pytest.fixture
def few(monkeypatch):
    """Points to go on from every 8 images."""
    monkeypatch.setattr(decoding, "SYNC_EVERY", 8)


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for k in range(N):
        Image.fromarray(picture(k)).save(folder / f"{k:03d}.png")
    return folder


def content(store: Path) -> dict[str, str]:
    """Hashes of all that must not depend on what happened meanwhile."""
    names = ("images.npy", "samples.csv", "dataset.yaml")
    return {name: hashlib.sha256((store / name).read_bytes()).hexdigest() for name in names}


def interrupted(tmp_path, raw, row: int, n: int = N) -> Path:
    """A preparation that ended with an exception (not a killed process) at this row."""

    def decoder(path):
        if path.name == f"{row:03d}.png":
            raise KeyboardInterrupt
        return decode(path)

    with pytest.raises(KeyboardInterrupt):
        build_store(tmp_path / "toy", INFO, raw_of(raw, decoder, n), "key")
    return tmp_path / ".toy.partial"


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


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("decode 0", 0),
        ("decode 21", None),  # somewhere within: threads are ahead of what is written
        ("decode 39", None),
        ("fsync 3", 16),  # pixels of 24 images are there, lines of 16
        ("describe 1", N),
        ("moved 2", 0),  # pixels in the new folder, without its name yet (1 was the plan)
    ],
)
def test_killed_and_gone_on_with(tmp_path, raw, few, capsys, moment, kept):
    whole = build_store(tmp_path / "whole", INFO, raw_of(raw), "key")
    code = f"import test_build_store; test_build_store.build_and_die({str(tmp_path)!r}, {moment!r})"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    killed = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "toy").exists()
    capsys.readouterr()
    decoded = []

    def counting(file):
        decoded.append(file)
        return decode(file)

    again = build_store(tmp_path / "toy", INFO, raw_of(raw, counting), "key")
    assert content(again.path) == content(whole.path)
    before = N - len(decoded)
    assert before % 8 == 0
    if kept is not None:
        assert before == kept
    said = re.search(r"going on after (\d+) images", capsys.readouterr().err)
    assert (int(said[1]) if said else 0) == before
    again.verify()


def test_a_store_that_is_remade_stays_until_the_new_one_is_complete(tmp_path, raw, few):
    old = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    before = content(old.path)
    Image.fromarray(picture(99)).save(raw / "000.png")
    interrupted(tmp_path, raw, 30)
    assert content(tmp_path / "toy") == before
    new = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    np.testing.assert_array_equal(new.images[0, 0], picture(99))
    np.testing.assert_array_equal(old.images[0, 0], picture(0))  # who has it open reads on


def test_a_file_that_was_replaced_meanwhile_is_read_again(tmp_path, raw, few):
    interrupted(tmp_path, raw, 39)
    Image.fromarray(picture(99)).save(raw / "011.png")
    decoded = []

    def counting(file):
        decoded.append(file.name)
        return decode(file)

    store = build_store(tmp_path / "toy", INFO, raw_of(raw, counting), "key")
    np.testing.assert_array_equal(store.images[11, 0], picture(99))
    assert sorted(decoded) == [f"{k:03d}.png" for k in range(11, N)]
    assert content(store.path) == content(
        build_store(tmp_path / "whole", INFO, raw_of(raw), "key").path
    )


@pytest.mark.parametrize("change", ["key", "samples", "tables", "order"])
def test_another_plan_begins_anew(tmp_path, raw, few, capsys, change):
    interrupted(tmp_path, raw, 39)
    data, key = raw_of(raw), "key"
    if change == "key":
        key = "other"
    elif change == "samples":
        data.samples[3] = Sample("s003", ("a",), "p1")
    elif change == "tables":
        data = RawData(data.samples, data.sources, decode, fingerprint="other tables")
    else:
        data = RawData(data.samples[::-1], data.sources[::-1], decode, fingerprint="tables")
    store = build_store(tmp_path / "toy", INFO, data, key)
    assert "going on" not in capsys.readouterr().err
    last = N - 1 if change == "order" else 0
    np.testing.assert_array_equal(store.images[0, 0], picture(last))


def test_an_error_keeps_the_work_and_the_mended_file_is_taken(tmp_path, raw, few, capsys):
    whole = content(build_store(tmp_path / "whole", INFO, raw_of(raw), "key").path)
    sound = (raw / "030.png").read_bytes()
    (raw / "030.png").write_bytes(sound[:60])
    with pytest.raises(MedflError, match=r"030\.png is .*corrupt"):
        build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert not (tmp_path / "toy").exists()
    (raw / "030.png").write_bytes(sound)
    capsys.readouterr()
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert "going on after 30 images" in capsys.readouterr().err
    assert content(store.path) == whole


def test_an_early_error_leaves_nothing_behind(tmp_path, raw):
    (raw / "001.png").unlink()
    with pytest.raises(MedflError, match=r"001\.png"):
        build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_few_slow_images_are_worth_going_on_with(tmp_path, raw, monkeypatch, capsys):
    """Volumes take long: ten of them are kept though they are no 256."""
    monkeypatch.setattr(decoding, "SYNC_SECONDS", 0.0)
    interrupted(tmp_path, raw, 10, n=12)
    capsys.readouterr()
    build_store(tmp_path / "toy", INFO, raw_of(raw, n=12), "key")
    assert re.search(r"going on after [1-9]\d* images", capsys.readouterr().err)


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


def test_exclusions_survive_an_interruption(tmp_path, raw, few):
    (raw / "003.png").write_bytes(b"no picture")
    whole = build_store(tmp_path / "whole", INFO, raw_of(raw), "key", strict=False)

    def decoder(path):
        if path.name == "039.png":
            raise KeyboardInterrupt
        return decode(path)

    with pytest.raises(KeyboardInterrupt):
        build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key", strict=False)
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key", strict=False)
    assert content(store.path) == content(whole.path)
    records = [json.loads((s.path / "prepare.json").read_text()) for s in (whole, store)]
    assert records[0]["excluded_files"] == records[1]["excluded_files"]


def test_nothing_that_can_be_read(tmp_path, raw):
    for file in raw.iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(MedflError, match=r"no image of Toy could be read: all 40 .*40 × the file"):
        build_store(tmp_path / "toy", INFO, raw_of(raw), "key", strict=False)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_full_disk_keeps_what_is_done(tmp_path, raw, few, capsys):
    """A limit of file sizes stands for the full disk: 128 bytes of header and 20.5 images."""
    whole = content(build_store(tmp_path / "whole", INFO, raw_of(raw), "key").path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (128 + 36 * 20 + 18, before[1]))
        with pytest.raises(MedflError, match=r"cannot write .*toy: File too large\. .*is kept in"):
            build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    capsys.readouterr()
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    # 7: the list of what is done reached the limit within its eighth line.
    assert re.search(r"going on after (7|8|16) images", capsys.readouterr().err)
    assert content(store.path) == whole


def test_a_disk_that_fills_up_at_the_end_keeps_the_pixels(tmp_path, raw, few, monkeypatch, capsys):
    """The tables are written last: an error there must not say that nothing was kept."""

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(build, "describe_store", full)
        with pytest.raises(MedflError, match=r"No space left.*is kept in .*\.toy\.partial"):
            build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert f"going on after {N} images" in capsys.readouterr().err


def test_two_at_once(tmp_path, raw):
    """The second one is told; the first one's work is left alone."""
    errors = []

    def decoder(path):
        if path.name == "020.png":
            with pytest.raises(MedflError, match="another process is preparing") as error:
                build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
            errors.append(error)
        return decode(path)

    store = build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key")
    assert len(errors) == 1
    np.testing.assert_array_equal(store.images[:, 0], [picture(k) for k in range(N)])


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 3, 4, 5)])
def test_16_bits_and_volumes_gone_on_with(tmp_path, few, shape):
    images = np.random.default_rng(0).integers(-32768, 32767, (N, *shape), dtype=np.int16)
    samples = raw_of(tmp_path).samples

    def build_it(name, decoder):
        data = RawData(samples, list(range(N)), decoder, fingerprint="array")
        return build_store(tmp_path / name, INFO, data, "key")

    def stopping(row):
        if row == 39:
            raise KeyboardInterrupt
        return images[row]

    with pytest.raises(KeyboardInterrupt):
        build_it("toy", stopping)
    assert (tmp_path / ".toy.partial").exists()
    store = build_it("toy", images.__getitem__)
    np.testing.assert_array_equal(store.images, images)
    assert store.images.dtype == np.int16
    axes = (0, *range(2, images.ndim))
    np.testing.assert_allclose(store.info.mean, (images / 32767).mean(axes), atol=1e-9)
    np.testing.assert_allclose(store.info.std, (images / 32767).std(axes), atol=1e-9)
    assert content(store.path) == content(build_it("whole", images.__getitem__).path)


def _cut(text: str) -> str:
    return text[: len(text) // 2]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("done.jsonl", _cut),
        ("done.jsonl", lambda text: "5\n" + text),
        ("done.jsonl", lambda text: '"abc"\n[1, [], null]\n' + text),
        ("done.jsonl", lambda text: text.replace('"', "", 1)),
        ("done.jsonl", lambda text: text * 3),
        ("done.jsonl", lambda text: "\udcff" + text),
        ("done.jsonl", None),
        ("plan.json", _cut),
        ("plan.json", lambda text: "[]"),
        ("plan.json", lambda text: text.replace("uint8", "uint17")),
        ("plan.json", lambda text: text.replace("6", "60")),
        ("plan.json", lambda text: json.dumps(json.loads(text) | {"shape": "abc"})),
        ("plan.json", None),
        ("images.npy", lambda text: text[:300]),
        ("images.npy", lambda text: "garbage"),
        ("images.npy", None),
    ],
)
def test_leftovers_that_were_damaged(tmp_path, raw, few, name, damage):
    whole = content(build_store(tmp_path / "whole", INFO, raw_of(raw), "key").path)
    file = interrupted(tmp_path, raw, 39) / name
    text = file.read_bytes().decode(errors="surrogateescape")
    file.unlink()
    if damage:
        file.write_bytes(damage(text).encode(errors="surrogateescape"))
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert content(store.path) == whole


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


def test_no_thread_goes_on_after_an_error(tmp_path, raw):
    import threading

    before = threading.active_count()
    shutil.copy(raw / "000.png", raw / "extra.png")
    (raw / "001.png").write_bytes(b"")
    with pytest.raises(MedflError, match=r"001\.png"):
        build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert threading.active_count() == before
    with pytest.raises(MedflError):
        Store.open(tmp_path / "toy")
