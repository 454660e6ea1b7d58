"""A preparation that is stopped and gone on with gives the same bits as one that is not."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_stores import INFO, N, content, decode, picture, raw_of

from medfl.errors import MedflError
from medfl.store import Sample, build, decoding
from medfl.store.build import build_store
from medfl.store.raw import RawData


def stop_at(row: int, patch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C when this row has been decoded and is to be written."""
    append = decoding.Decoding._append

    def pressed(self, *result):
        if len(self.done) == row:
            raise KeyboardInterrupt
        return append(self, *result)

    patch.setattr(decoding.Decoding, "_append", pressed)


def interrupted(tmp_path, raw, row: int, n: int = N, strict: bool = True) -> Path:
    """A preparation that ended with an exception (not a killed process) at this row."""
    with pytest.MonkeyPatch.context() as patch:
        stop_at(row, patch)
        with pytest.raises(KeyboardInterrupt):
            build_store(tmp_path / "toy", INFO, raw_of(raw, n=n), "key", strict=strict)
    return tmp_path / ".toy.partial"


class Counting:
    """Decodes, and notes in a file which images it did, in whatever process."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "decoded"
        self.file.touch()

    def __call__(self, path: Path) -> np.ndarray:
        with self.file.open("a") as file:
            file.write(f"{path.name}\n")
        return decode(path)

    @property
    def names(self) -> list[str]:
        return sorted(self.file.read_text().split())


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("decode 0", 0),
        ("decode 21", None),  # somewhere within: processes are ahead of what is written
        ("decode 39", None),
        ("fsync 3", 16),  # pixels of 24 images are there, lines of 16
        ("describe 1", N),
        ("moved 2", 0),  # pixels in the new folder, without its name yet (1 was the plan)
    ],
)
def test_killed_and_gone_on_with(tmp_path, raw, few, capsys, moment, kept):
    whole = build_store(tmp_path / "whole", INFO, raw_of(raw), "key")
    code = f"import toy_stores; toy_stores.build_and_die({str(tmp_path)!r}, {moment!r})"
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    killed = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "toy").exists()
    capsys.readouterr()
    counting = Counting(tmp_path)
    again = build_store(tmp_path / "toy", INFO, raw_of(raw, counting), "key")
    assert content(again.path) == content(whole.path)
    before = N - len(counting.names)
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
    counting = Counting(tmp_path)
    store = build_store(tmp_path / "toy", INFO, raw_of(raw, counting), "key")
    np.testing.assert_array_equal(store.images[11, 0], picture(99))
    assert counting.names == [f"{k:03d}.png" for k in range(11, N)]
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


def test_exclusions_survive_an_interruption(tmp_path, raw, few):
    (raw / "003.png").write_bytes(b"no picture")
    whole = build_store(tmp_path / "whole", INFO, raw_of(raw), "key", strict=False)
    interrupted(tmp_path, raw, 39, strict=False)
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key", strict=False)
    assert content(store.path) == content(whole.path)
    records = [json.loads((s.path / "prepare.json").read_text()) for s in (whole, store)]
    assert records[0]["excluded_files"] == records[1]["excluded_files"]


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
    # 5: the list of what is done reached the limit within its sixth line.
    assert re.search(r"going on after (5|8|16) images", capsys.readouterr().err)
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


@pytest.mark.parametrize("name", ["lock", "done.jsonl", "images.npy", "plan.json"])
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "link to nothing"])
def test_what_is_no_file_in_the_leftovers_is_not_waited_for(tmp_path, raw, few, name, kind):
    whole = content(build_store(tmp_path / "whole", INFO, raw_of(raw), "key").path)
    file = interrupted(tmp_path, raw, 39) / name
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(tmp_path / "else")
        if kind == "link to a pipe":
            os.mkfifo(tmp_path / "else")
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")
    assert content(store.path) == whole
