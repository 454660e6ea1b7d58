"""Pillow opens only formats that are named, and no picture that swells without bound."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import medfl
from medfl.errors import FileError
from medfl.imaging.picture_file import FORMATS, open_picture


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_opened_whatever_it_is_called(tmp_path, name):
    grey = np.arange(80, dtype=np.uint8).reshape(10, 8)
    Image.fromarray(grey).save(tmp_path / "picture.x", name)
    with open_picture(tmp_path / "picture.x") as image:
        assert image.format == name
        assert image.size == (8, 10)
        assert np.abs(np.asarray(image.convert("L")).astype(int) - grey).mean() < 3


@pytest.mark.parametrize("name", ["EPS", "PDF", "ICO", "TGA", "SGI"])
def test_no_other_is(tmp_path, name):
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "picture.png", name)
    with pytest.raises(UnidentifiedImageError), open_picture(tmp_path / "picture.png"):
        pass


@pytest.mark.parametrize(
    ("mode", "each"), [("1", 1), ("L", 1), ("I;16", 2), ("F", 4), ("RGB", 3), ("CMYK", 4)]
)
def test_bytes_by_the_mode_of_the_picture(tmp_path, monkeypatch, mode, each):
    """12 × 9 pixels of so many bytes each are compared with the size of the file."""
    path = tmp_path / "picture.tif"
    Image.new(mode, (12, 9)).save(path)
    told = []
    monkeypatch.setattr("medfl.imaging.picture_file.refuse_swelling", lambda *all: told.append(all))
    with open_picture(path):
        assert told == [(path, 12 * 9 * each, path.stat().st_size)]


def test_a_picture_that_swells_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("L", (9000, 7500)).save(path)  # 67.5 MB of zeros
    with pytest.raises(FileError, match="is refused: it says that it swells"), open_picture(path):
        pass


def test_nothing_else_lets_pillow_choose_the_format():
    root = Path(medfl.__file__).parent
    opened = [
        call
        for path in root.rglob("*.py")
        for call in re.findall(r"Image\.open\(.*", path.read_text(encoding="utf-8"))
    ]
    assert len(opened) >= 1
    assert [call for call in opened if "formats=" not in call] == []
