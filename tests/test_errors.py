"""What a library says of a damaged file is told in words of our own, which quote nothing of it."""

import pickle
import struct
import zlib

import pytest
from pydicom.dataset import Dataset

from medfl.errors import FileError, Reason, failure, on_one_line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("could not convert string to float: 'Doe^Jane'"), "a value in it is not"),
        (OSError("b'Token too long in file header: Doe'"), "its reader failed with OSError"),
        (OSError("image file is truncated (5 bytes not processed)"), "it is truncated"),
        (struct.error("unpack requires a buffer of 4 bytes"), "it is truncated"),
        (zlib.error("Error -3 while decompressing Doe"), "its compressed data are damaged"),
        (KeyError("Doe"), "a part of it is missing"),
        (MemoryError("Doe"), "it claims to be larger than can be"),
        (UnicodeDecodeError("utf-8", b"Doe", 0, 1, "Doe"), "a text in it is not in its encoding"),
        (PermissionError(13, "Permission denied", "/data/Doe.png"), "Permission denied"),
        (RuntimeError("<_io.BytesIO object at 0x7f3b>"), "its reader failed with RuntimeError"),
        (Reason("a lookup table is empty."), "a lookup table is empty"),
    ],
)
def test_failures_are_told_by_their_kind(error, words):
    told = failure(error)
    assert told.startswith(words)
    assert "Doe" not in told
    assert "0x" not in told


def test_what_a_header_lacks_is_named():
    with pytest.raises(AttributeError) as error:
        Dataset().PhotometricInterpretation  # noqa: B018
    assert failure(error.value) == "it lacks PhotometricInterpretation"


def test_an_error_about_a_file_crosses_processes():
    error = pickle.loads(pickle.dumps(FileError("a/b.png", "is empty")))
    assert (str(error), error.reason) == ("a/b.png is empty.", "is empty")


def test_a_word_of_ten_thousand_letters_fills_no_screen():
    said = on_one_line(f"unknown dataset `{'x' * 10_000}`; choose another.")
    # The word is `xx…x`; with its two quotes and the semicolon 10,003 signs, of which 200 stay.
    assert said == f"unknown dataset `{'x' * 99}… (9,803 more) …{'x' * 98}`; choose another."
    some = "phantom, " * 250
    assert on_one_line(some) == some
    more = on_one_line("phantom, " * 1000 + "choose one.")
    assert len(more) < 1300
    assert more.endswith("phantom, choose one.")
