"""Zip files that mean harm, or are merely broken."""

from __future__ import annotations

import stat
import struct
import zipfile

import pytest

from medfl.errors import MedflError
from medfl.files import archives
from medfl.files.archives import check_members, unpack

CONTENT = bytes(range(256)) * 8


def make(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def refused(tmp_path, archive, match, **options):
    target = tmp_path / "out" / "folder"
    with pytest.raises(MedflError, match=match):
        unpack(archive, target, **options)
    assert not target.exists()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path != archive]
    assert left == []


def test_unpacks_once(tmp_path, capsys):
    archive = make(tmp_path / "a.zip", [("x/1.png", CONTENT), ("x/ü.png", b"2"), ("e/", b"")])
    folder = unpack(archive, tmp_path / "out")
    assert (folder / "x" / "1.png").read_bytes() == CONTENT
    assert (folder / "x" / "ü.png").read_bytes() == b"2"
    assert "unpacking" in capsys.readouterr().err
    unpack(archive, tmp_path / "out")
    assert capsys.readouterr().err == ""


def test_another_archive_replaces_what_was_unpacked(tmp_path):
    archive = make(tmp_path / "a.zip", [("1.png", b"old")])
    unpack(archive, tmp_path / "out")
    make(archive, [("2.png", b"new")])
    unpack(archive, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"2.png", archives.MARKER}


@pytest.mark.parametrize(
    "name", ["../evil.png", "x/../../evil.png", "/etc/evil.png", "C:/evil.png", "x\\..\\evil.png"]
)
def test_members_that_climb_out(tmp_path, name):
    archive = make(tmp_path / "a.zip", [("fine.png", b"1"), (name, b"2")])
    refused(tmp_path, archive, "would be written outside the folder")


def test_a_link(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = make(tmp_path / "a.zip", [(link, "/etc/passwd")])
    refused(tmp_path, archive, r"`link\.png` is a link")


def test_a_bomb_by_ratio(tmp_path):
    archive = make(tmp_path / "a.zip", [("b.png", bytes(8 << 20))], zipfile.ZIP_DEFLATED)
    refused(tmp_path, archive, r"`b\.png` would swell .*-fold.*bomb")


def test_a_bomb_by_total(tmp_path):
    archive = make(tmp_path / "a.zip", [(f"{k}.png", CONTENT) for k in range(4)])
    refused(tmp_path, archive, "more than the limit of", max_bytes=4 * len(CONTENT) - 1)
    assert len(check_members(archive, 4 * len(CONTENT))) == 4


def test_a_bomb_that_lies_about_its_size(tmp_path):
    """Declared 1,000 bytes in both headers, and really 50 MB."""
    archive = make(tmp_path / "a.zip", [("b.png", bytes(50 << 20))], zipfile.ZIP_DEFLATED)
    raw = bytearray(archive.read_bytes())
    true = struct.pack("<I", 50 << 20)
    assert raw.count(true) == 2
    archive.write_bytes(raw.replace(true, struct.pack("<I", 1000)))
    refused(tmp_path, archive, r"b\.png is damaged, or not what the archive says of it")


def test_encrypted(tmp_path):
    archive = make(tmp_path / "a.zip", [("b.png", b"1")])
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    archive.write_bytes(raw)
    refused(tmp_path, archive, r"b\.png is encrypted; unpack it by hand")


def test_a_name_twice(tmp_path):
    archive = make(tmp_path / "a.zip", [("b.png", b"1"), ("B.PNG", b"2")])
    refused(tmp_path, archive, r"B\.PNG stands in it twice")


def test_not_a_zip_or_cut_off(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"not a zip")
    refused(tmp_path, archive, r"a\.zip is not a sound zip file .*get this file again")
    make(archive, [("b.png", CONTENT)])
    archive.write_bytes(archive.read_bytes()[:-30])
    refused(tmp_path, archive, "is not a sound zip file")


def test_damaged_content(tmp_path):
    archive = make(tmp_path / "a.zip", [("b.png", CONTENT)])
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace(CONTENT[:256], b"\xff" + CONTENT[1:256], 1))
    refused(tmp_path, archive, r"b\.png is damaged, or not what the archive says .*CRC")


def test_a_damaged_deflate_stream(tmp_path):
    archive = make(tmp_path / "a.zip", [("b.png", CONTENT)], zipfile.ZIP_DEFLATED)
    raw = bytearray(archive.read_bytes())
    start = raw.index(b"b.png") + 5
    raw[start : start + 8] = b"\xff" * 8
    archive.write_bytes(raw)
    refused(tmp_path, archive, r"b\.png (is damaged|cannot be unpacked)")


def test_debris_of_macos_is_left_out(tmp_path):
    archive = make(tmp_path / "a.zip", [("__MACOSX/._b.png", b"x"), ("b.png", b"1")])
    assert [member.filename for member in check_members(archive)] == ["b.png"]
