"""One walk of folders: each file once, under its own path; what is passed over has a reason."""

from __future__ import annotations

import os
from pathlib import Path

from medfl.files.walk import walk


def test_all_is_found_or_listed_with_a_reason(tmp_path):
    for name in ("a/1.png", "a/.hidden", ".git/config", "__MACOSX/._1.png", "2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    os.mkfifo(tmp_path / "pipe")
    found = walk(tmp_path)
    assert sorted(path.name for path in found.files) == ["1.png", "2.png"]
    assert {Path(one.file).name: one.reason for one in found.broken} == {
        "gone": "is a link to nothing",
        "self": "cannot be read (Too many levels of symbolic links)",
        "pipe": "is no ordinary file",
    }
    assert {Path(one.file).name: one.reason for one in found.passed} == {
        ".git": "is a hidden folder, which is not entered",
        ".hidden": "is a hidden file",
        "__MACOSX": "is what macOS adds to archives, and is not entered",
    }
    assert found.closed == []


def test_a_file_is_called_by_its_own_path_though_links_come_first(tmp_path):
    (tmp_path / "z" / "inner").mkdir(parents=True)
    (tmp_path / "z" / "inner" / "1.png").touch()
    (tmp_path / "a").symlink_to(tmp_path / "z" / "inner")
    (tmp_path / "b").symlink_to(tmp_path)
    found = walk(tmp_path)
    assert found.files == [tmp_path / "z" / "inner" / "1.png"]
    assert [Path(one.file).name for one in found.passed] == ["a", "b"]
    assert {one.reason for one in found.passed} == {"is a link to a folder that is read elsewhere"}


def test_a_folder_elsewhere_is_entered_by_its_shallowest_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "1.png").touch()
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "a").symlink_to(tmp_path / "there")
    (root / "z").symlink_to(tmp_path / "there")
    assert walk(root).files == [root / "z" / "1.png"]


def test_debris_of_systems_is_not_entered(tmp_path):
    for name in ("__MACOSX", "_MACOSX", "@eaDir"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").touch()
    found = walk(tmp_path)
    assert found.files == []
    assert sorted(Path(one.file).name for one in found.passed) == ["@eaDir", "_MACOSX", "__MACOSX"]


def test_what_drives_keep_for_themselves_is_not_entered(tmp_path):
    names = ("$RECYCLE.BIN", "System Volume Information", "lost+found", "#recycle")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").touch()
    (tmp_path / "recycle").mkdir()
    (tmp_path / "recycle" / "2.png").touch()
    found = walk(tmp_path)
    assert [path.name for path in found.files] == ["2.png"]
    assert {Path(one.file).name: one.reason for one in found.passed} == dict.fromkeys(
        names, "is what a drive keeps deleted files or its own in, and is not entered"
    )
