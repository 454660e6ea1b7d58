"""What can be no name of a file or folder is refused with what is wrong with it."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from pathlib import Path

import pytest

from medfl.files.names import usable_folder, usable_path, writable_folder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' names no file or folder"),
        ("  ", "names no file or folder"),
        ("a\0b", r"'a\x00b' holds a line's end, a tab or another sign that is no letter"),
        ("a\nb", r"'a\nb' holds a line's end"),
        ("x/" + "é" * 128, "is too long: a name may have 255 bytes"),  # 256 bytes
        ("abc/" * 1024, "is too long"),  # 4096 bytes
        ("\ud800", "cannot be the name of a file on this system"),
    ],
)
def test_what_is_no_name(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        usable_path(text)


@pytest.mark.parametrize("text", ["a b", "-x", "😀", "\u202eabc", "x" * 255, "..", "é/" * 1000])
def test_what_is_a_name_stays_as_it_is(text):
    assert usable_path(text) == text


def test_a_file_is_no_folder_and_none_lies_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for text in ("file", "file/x/y"):
        with pytest.raises(ValueError, match=r"^file is a file, and a folder is meant$"):
            usable_folder(text)
    for text in ("folder", "folder/x/y", "new", "."):
        assert usable_folder(text) == text
        assert writable_folder(text) == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_that_may_not_be_written_into(tmp_path, monkeypatch):
    asked = []

    def make(prefix, dir):
        asked.append(str(dir))
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", make)  # whoever runs the tests may be allowed all
    with pytest.raises(ValueError, match=r"nothing can be .* \(Permission denied\): name another"):
        writable_folder(str(tmp_path / "x" / "y"))
    assert asked == [str(tmp_path)]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="such a place is Linux's")
def test_a_place_in_which_nobody_can_make_a_folder():
    with pytest.raises(ValueError, match="nothing can be written into /proc "):
        writable_folder("/proc/x")


def test_bytes_that_are_no_letters_may_be_read_but_not_written():
    name = os.fsdecode(b"\xff")
    assert usable_folder(name) == name
    with pytest.raises(ValueError, match="bytes that are no letters"):
        writable_folder(name)


@pytest.mark.parametrize("target", ["nowhere/at/all", "link"])
def test_a_link_to_nothing_is_no_folder(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(target)
    for text in ("link", "link/x/y"):
        with pytest.raises(ValueError, match=r"^link is a link to nothing: mend it, or name"):
            writable_folder(text)
