"""Names of files and folders as a person writes them: what can be none is refused before any work.

Each check gives the name back, or raises a ``ValueError`` that says what is wrong with it.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path

LONGEST_PART, LONGEST = 255, 4095  # bytes, as Linux has them


def usable_path(text: str) -> str:
    """A name that a file or folder may have."""
    if not text.strip():
        raise ValueError(f"{text!r} names no file or folder")
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValueError(f"{text!r} holds a line's end, a tab or another sign that is no letter")
    try:
        coded = os.fsencode(text)
    except UnicodeEncodeError:
        raise ValueError(f"{text!r} cannot be the name of a file on this system") from None
    if len(coded) > LONGEST or max(map(len, coded.split(b"/"))) > LONGEST_PART:
        raise ValueError(f"{text!r} is too long: a name may have {LONGEST_PART} bytes")
    return text


def usable_folder(text: str) -> str:
    """A folder that is there, or one that can be made where it says."""
    nearest = _nearest(usable_path(text))
    if nearest.is_symlink() and not nearest.exists():
        raise ValueError(f"{nearest} is a link to nothing: mend it, or name another folder")
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is a file, and a folder is meant")
    return text


def writable_folder(text: str) -> str:
    """A folder that may be written into, or made where it says; its name stands in files."""
    nearest = _nearest(usable_folder(text))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text!r} holds bytes that are no letters in UTF-8") from None
    try:  # rights do not say it: nobody can make a folder in /proc
        os.rmdir(tempfile.mkdtemp(prefix=".medfl-", dir=nearest))
    except OSError as error:
        raise ValueError(
            f"nothing can be written into {nearest.absolute()} ({error.strerror}): name another "
            "folder"
        ) from error
    return text


def _nearest(text: str) -> Path:
    """What is there of a path: itself, or the nearest folder above it."""
    found = Path(text)
    while not os.path.lexists(found) and found != found.parent:
        found = found.parent
    return found
