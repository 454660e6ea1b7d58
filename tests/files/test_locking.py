"""Locks of files and folders."""

from __future__ import annotations

import os

import pytest

from medfl.errors import MedflError
from medfl.files import HeldError, is_locked, locked, take_lock


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_lock_is_held_until_it_is_closed(tmp_path, kind):
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    lock = take_lock(path)
    assert lock is not None
    assert is_locked(path)
    with pytest.raises(HeldError):
        take_lock(path)
    os.close(lock)
    assert not is_locked(path)


def test_a_folder_is_locked_for_a_block(tmp_path):
    folder = tmp_path / "a" / "b"
    with locked(folder, "somebody is there"):
        with (
            pytest.raises(MedflError, match="somebody is there"),
            locked(folder, "somebody is there"),
        ):
            raise AssertionError("two were let in")
        (folder / "result").write_text("x")
    with locked(folder, ""):
        pass
    assert (folder / "result").exists()
    with locked(tmp_path / "empty", ""):
        pass
    assert not (tmp_path / "empty").exists()


def test_a_place_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MedflError, match="cannot write"), locked(tmp_path / "file" / "run", ""):
        pass
