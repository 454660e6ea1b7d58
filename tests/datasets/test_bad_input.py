"""What hostile and clumsy hands put into a folder: one clear line or a listed exclusion, each."""

from __future__ import annotations

import json
import os
import shlex
import socket
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medfl.cli import main
from medfl.datasets.prepare import prepare
from medfl.store import Store
from tests import dicoms

LEVELS = range(40, 200, 20)  # eight images, each of one grey


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder of two classes, and its description."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDFL_DATA", raising=False)
    monkeypatch.delenv("MEDFL_DATASETS", raising=False)
    for number, level in enumerate(LEVELS):
        path = Path("img", "ab"[number % 2], f"{number}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 30), level, np.uint8)).save(path)
    Path("own.yaml").write_text("folder: img\nsize: 8\npreprocess: {channels: 1}\n")
    return tmp_path


def made() -> tuple[Store, dict]:
    store = Store.open(prepare("own.yaml"))
    record = json.loads((store.path / "prepare.json").read_text())
    assert record["found"] == record["kept"] + record["excluded"]
    assert record["kept"] == len(store)
    assert not list(Path("data/prepared").glob(".*"))  # nothing half done
    return store, record


def pipe(path: Path) -> None:
    """A pipe that nobody writes to; it is closed after a while, so that a mistake does not hang."""
    os.mkfifo(path)

    def close() -> None:
        with suppress(OSError):  # nobody waits
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))

    timer = threading.Timer(5, close)
    timer.daemon = True
    timer.start()


def listen(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path.relative_to(Path.cwd())) if path.is_absolute() else str(path))
    server.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "corrupt image"),
        (lambda path: path.write_bytes(b""), "0 bytes"),
        (lambda path: path.write_text("<html>403</html>"), "not an image"),
        (lambda path: (path.unlink(), path.symlink_to("nowhere")), "is a link to nothing"),
        (lambda path: (path.unlink(), path.symlink_to(path.name)), "cannot be read"),
        (lambda path: (path.unlink(), listen(path)), "no ordinary file"),
        (lambda path: (path.unlink(), pipe(path)), "no ordinary file"),
    ],
    ids=["truncated", "empty", "web page", "dangling", "own tail", "socket", "pipe"],
)
def test_a_file_that_is_no_image_is_listed(place, capsys, spoil, reason):
    spoil(Path("img/a/2.jpg"))
    store, record = made()
    assert len(store) == len(LEVELS) - 1
    (only,) = record["excluded_files"]
    assert reason in only["reason"]
    assert "2.jpg" not in json.dumps(record)  # names of one's own files can be those of people
    assert "1 left out" in capsys.readouterr().err


def test_links_that_turn_round_end_and_nothing_is_read_twice(place):
    Path("img/a/up").symlink_to(place / "img")
    Path("img/b/self").symlink_to(".")
    store, record = made()
    assert len(store) == len(LEVELS)
    assert record["excluded_by_reason"] == {"is a link to a folder that is read elsewhere": 2}


@pytest.mark.parametrize("name", ["a b (1)", "[x] {y}", "löwe", "漢字 🦴", "a'b\"c", "%s", "-rf"])
def test_awkward_names_of_files_and_classes(place, name):
    Path("img/a").rename(Path("img", name))
    Path("img", name, "2.jpg").rename(Path("img", name, f"{name}.jpg"))
    store, record = made()
    assert set(store.info.classes) == {name, "b"}
    assert not record["excluded"]


def test_sizes_and_modes_mix(place):
    """The same grey in every mode, and a photograph that lies on its side, are one picture."""
    grey = Image.fromarray(np.full((9, 17), 100, np.uint8))
    grey.convert("RGB").save("img/a/rgb.png")
    grey.convert("RGBA").save("img/a/rgba.png")
    grey.convert("RGB").quantize(4).save("img/a/palette.png")
    grey.convert("LA").save("img/b/la.png")
    Image.fromarray(np.full((31, 5), 100 * 257, np.uint16)).save("img/b/16.png")
    turned = grey.getexif()
    turned[0x112] = 6
    grey.save("img/b/turned.png", exif=turned)
    Path("own.yaml").write_text(
        "folder: img\nsize: 8\npreprocess: {channels: 1, fit: stretch, intensity: full}\n"
    )
    store, record = made()
    assert record["kept"] == len(LEVELS) + 6
    middles = sorted(store.images[:, 0, 4, 4].tolist())
    assert middles == sorted([*LEVELS, *[100] * 6])


def test_what_lies_among_dicom_files(place):
    """Two sound files, and of each kind that is not."""
    image = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for name in ("a/one", "b/two", "a/cut", "b/none"):
        Path("dcm", name).parent.mkdir(parents=True, exist_ok=True)
        dicoms.write(Path(f"dcm/{name}.dcm"), image, SOPInstanceUID=f"1.{len(name)}.{ord(name[3])}")
    whole = Path("dcm/a/cut.dcm").read_bytes()
    Path("dcm/a/cut.dcm").write_bytes(whole[:-50])
    dicoms.write(Path("dcm/b/none.dcm"), image, SOPInstanceUID="1.9", PixelData=None)
    Path("dcm/a/text.dcm").write_text("no DICOM")
    Path("dcm/b/empty.dcm").write_bytes(b"")
    Path("dcm/b/notes.txt").write_text("no image")
    Path("own.yaml").write_text("folder: dcm\nsize: 8\nmodality: xray\n")
    store, record = made()
    assert len(store) == 2
    reasons = " | ".join(sorted(one["reason"] for one in record["excluded_files"]))
    assert record["excluded"] == 5
    for part in ("lacks the DICM prefix", "holds no", "is no image, DICOM", "pixel"):
        assert part in reasons


def test_a_dicom_pipe_is_not_waited_for(tmp_path):
    from medfl.imaging.dicom import read_header

    pipe(tmp_path / "x.dcm")
    with pytest.raises(Exception, match="is no ordinary file"):
        read_header(tmp_path / "x.dcm")


def test_arrays_without_a_number(place):
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save("img/b/x.png")
    np.save("img/a/nan.npy", np.full((8, 8), np.nan, np.float32))
    _, record = made()
    (only,) = record["excluded_files"]
    assert "holds no number" in only["reason"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("own.yaml --output-dir ''", "argument --output-dir: '' names no file or folder"),
        ("own.yaml --output-dir .", "--output-dir must name the store's folder"),
        ("own.yaml --output-dir img", "img is there and is no store"),
        ("own.yaml --output-dir own.yaml", "own.yaml is a file, and a folder is meant"),
        ("own.yaml --output-dir nowhere", "nowhere is a link to nothing: mend it"),
        ("own.yaml --output-dir own.yaml/x", "own.yaml is a file, and a folder is meant"),
        ("own.yaml --size 0", "from 8 to 2048 pixels"),
        ("own.yaml --size 5000", "from 8 to 2048 pixels"),
        ("none.yaml", "none.yaml does not exist"),
        ("../x", "unknown dataset `../x`"),
        ("chestxray14-", "did you mean `chestxray14`?"),
        ("img", "unknown dataset `img`"),
    ],
)
def test_a_place_or_word_that_cannot_be(place, capsys, options, message):
    """Said before any work is done; nothing is left and nothing is touched."""
    Path("nowhere").symlink_to("not-there")
    before = sorted(place.rglob("*"))
    try:
        status = main(["prepare", *shlex.split(options)])
    except SystemExit as stop:  # of a word that is no name of a folder
        status = stop.code
    assert status == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len([line for line in printed.splitlines() if "error: " in line]) == 1
    # The key of pseudonyms may be made on the way: nothing else.
    left = [path for path in place.rglob("*") if "private" not in path.parts]
    assert sorted(path for path in left if path.name != "data") == before
