"""Raw files of a small store."""

from __future__ import annotations

import pytest
from PIL import Image
from toy_stores import N, picture

from medfl.store import decoding


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
