"""Archives of arrays that are damaged, or of another kind: each is one of two kinds of errors."""

from __future__ import annotations

import os
import struct
import zipfile

import numpy as np
import pytest

from medfl.files.arrays import read_arrays


@pytest.fixture
def path(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(3000.0), y=np.array("word"))
    return tmp_path / "a.npz"


def test_all_arrays_or_those_that_are_named(path):
    found = read_arrays(path)
    assert sorted(found) == ["x", "y"]
    assert found["x"].tolist() == list(range(3000))
    assert str(found["y"]) == "word"
    assert list(read_arrays(path, ["y", "z"])) == ["y"]


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 4), np.float32),
        np.array(3, ">i2"),
        np.array([["é", "long"]]),
        np.array([("a", 1)], [("x", "U1"), ("y", int)]),
    ],
)
def test_arrays_are_as_numpy_reads_them(path, array):
    np.savez(path, first=array, again=array)
    for found in read_arrays(path).values():
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.flags.f_contiguous == array.flags.f_contiguous
        assert found.flags.writeable
        assert np.array_equal(found, array)
    one, other = read_arrays(path).values()
    if one.dtype == float:
        one[:] = 0
        assert np.array_equal(other, array), "each has its own memory"


def test_an_array_of_a_later_layout(path):
    array = np.arange(5)
    with zipfile.ZipFile(path, "w") as file, file.open("x.npy", "w") as entry:
        np.lib.format.write_array(entry, array, version=(3, 0))
    assert np.array_equal(read_arrays(path)["x"], array)


def test_every_flipped_byte_is_refused_or_changes_nothing(path):
    whole, seen = path.read_bytes(), set()
    right = {name: array.tobytes() for name, array in read_arrays(path).items()}
    for place in range(0, len(whole), 29):
        content = bytearray(whole)
        content[place] ^= 0x41
        path.write_bytes(content)
        try:
            found = read_arrays(path)
        except ValueError as error:
            seen.add(str(error))
            continue
        # The rest of a zip file's head is not looked at, and the name of a member is its name.
        same = {name: array.tobytes() == right.get(name) for name, array in found.items()}
        assert all(same.values()) or set(found) != set(right)
    assert "its compressed data are damaged (error)" in seen


def _huge(path):
    claimed = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
    with zipfile.ZipFile(path, "w") as file, file.open("x.npy", "w") as entry:
        np.lib.format.write_array_header_1_0(entry, claimed)


def _array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def _header(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00\x03\x00{[\n")


def _objects(path):
    np.savez(path, x=np.array([{}], dtype=object))


def _method(number, flags=0):
    def write(path):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("x.npy", b"abc")
        content = bytearray(path.read_bytes())
        for signature, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            first = content.index(signature) + at
            content[first : first + 4] = struct.pack("<HH", flags, number)
        path.write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_huge, "it claims to be larger than can be"),
        (_array, "it is no archive of arrays"),
        (_header, "TokenError"),
        (_objects, "a value in it is not what it must be"),
        (_method(99), "it is of a kind that cannot be read"),
        (_method(0, flags=1), "its reader failed with RuntimeError"),
        (lambda path: path.write_text("a,b\n"), "a value in it is not what it must be"),
        (lambda path: path.write_bytes(b""), "it is truncated"),
    ],
)
def test_other_kinds_of_files(path, make, words):
    path.unlink()
    make(path)
    with pytest.raises(ValueError, match=words):
        read_arrays(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_told_and_not_waited_for(path, make):
    path.unlink()
    make(path)
    with pytest.raises(OSError, match=r"a\.npz"):
        read_arrays(path)
