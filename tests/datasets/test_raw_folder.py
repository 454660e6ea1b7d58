"""Finding files whatever the nesting, the case of names and the links."""

from __future__ import annotations

import pytest

from medfl.datasets.raw_folder import look_into, one_each, plain
from medfl.errors import MedflError


def touch(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_scan_is_shallow_first_and_leaves_out_debris(tmp_path):
    for name in ("b/deep/1.JPG", "b/2.jpeg", "a.csv", ".hidden/3.png", "__MACOSX/b/._2.jpeg"):
        touch(tmp_path / name)
    tree = look_into(tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in tree.files] == [
        "a.csv",
        "b/2.jpeg",
        "b/deep/1.JPG",
    ]
    assert [file.name for file in tree.images()] == ["2.jpeg", "1.JPG"]


def test_find_in_any_case_the_shallowest(tmp_path):
    touch(tmp_path / "z" / "table.CSV")
    touch(tmp_path / "a" / "b" / "TABLE.csv")
    assert look_into(tmp_path).find("other.csv", "Table.csv") == tmp_path / "z" / "table.CSV"
    assert look_into(tmp_path).find("other.csv") is None


def test_images_of_a_folder_by_any_spelling(tmp_path):
    touch(tmp_path / "archive" / "ct-noncovid" / "1.PNG")
    touch(tmp_path / "archive" / "CT_COVID" / "2.png")
    assert [file.name for file in look_into(tmp_path).images("CT_NonCOVID")] == ["1.PNG"]
    assert plain("CT_NonCOVID") == plain("ct noncovid") != plain("CT_COVID")


def test_loops_of_links_end_and_dangling_links_are_told(tmp_path):
    touch(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    tree = look_into(tmp_path)
    assert [file.name for file in tree.files] == ["1.png"]
    assert sorted(link.name for link in tree.broken) == ["gone.png", "self.png"]


def test_a_file_or_nothing_holds_nothing(tmp_path):
    assert look_into(touch(tmp_path / "file")).files == look_into(tmp_path / "none").files == []


def test_equal_copies_count_once_and_others_are_refused(tmp_path):
    one, two = touch(tmp_path / "a" / "1.png", b"x"), touch(tmp_path / "b" / "1.png", b"x")
    link = tmp_path / "1.png"
    link.symlink_to(one)
    assert one_each([("1", one), ("1", two), ("1", link)]) == ({"1": one}, 2)
    two.write_bytes(b"y")
    with pytest.raises(MedflError, match=r"a/1\.png and .*b/1\.png differ.* image 1: remove"):
        one_each([("1", one), ("1", two)])


def test_all_that_is_not_taken_is_left_out_with_a_reason(tmp_path):
    one, copy = touch(tmp_path / "a" / "1.png", b"x"), touch(tmp_path / "b" / "1.png", b"x")
    for name in ("table.csv", "notes.txt", "a/.hidden.png", ".git/2.png"):
        touch(tmp_path / name)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    tree = look_into(tmp_path)
    assert tree.find("Table.csv") == tmp_path / "table.csv"
    assert {left.file: left.reason for left in tree.left_out([one], [one, copy])} == {
        ".git": "is a hidden folder, which is not entered",
        "a/.hidden.png": "is a hidden file",
        "gone.png": "is a link to nothing",
        "link": "is a link to a folder that is read elsewhere",
        "b/1.png": "is an equal copy of another image",
        "notes.txt": "is no image and no table of the published set",
    }


def test_every_road_walks_links_in_the_same_way(tmp_path):
    """Catalog sets, described ones, DICOM trees and the way back see one tree."""
    from medfl.datasets.described.files import count_files, list_files
    from medfl.imaging.dicom import scan_tree

    there = touch(tmp_path / "elsewhere" / "deep" / "1.png")
    root = tmp_path / "root"
    touch(root / "z" / "2.png")
    (root / "a").symlink_to(root / "z")
    (root / "b").symlink_to(there.parent.parent)
    (root / "c").symlink_to(there.parent)
    (root / "loop").symlink_to(root)
    names = ["b/deep/1.png", "z/2.png"]
    passed = ["a", "c", "loop"]
    tree = look_into(root)
    assert sorted(str(file.relative_to(root)) for file in tree.files) == names
    assert [one.file for one in tree.passed] == passed
    listed = list_files(root)
    assert listed.files == names
    assert sorted(one.file for one in listed.left) == passed
    assert count_files(root) == 2
    scanned = scan_tree(root)
    assert [str(path.relative_to(root)) for path in scanned.others] == names
    assert {one.reason for one in scanned.left_out} == {one.reason for one in tree.passed}
