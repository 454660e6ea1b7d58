"""Names of sites as they stand in names of folders, and back.

A partition's word names folders, and sites may be called anything. Letters and digits of ASCII and
``_``, ``.``, ``+``, ``-`` stay; each byte of the rest, in UTF-8, becomes ``~`` and two hexadecimal
digits: ``São Paulo`` is ``S~C3~A3o~20Paulo``. So no two sites share a folder, and the name can be
read back. ``~`` is one of the characters that RFC 3986 leaves unreserved, so addresses need no
further spelling; no shell, and neither Snakemake nor DVC, reads anything into it within a word.
"""

from __future__ import annotations

import re
from unicodedata import normalize

LEAVE_OUT = "leave-out"
LONGEST = 200  # of 255 bytes that file systems give a name
_OTHER = re.compile(rb"[^A-Za-z0-9_.+-]")
_SPELT = re.compile(rb"~([0-9A-Fa-f]{2})")


def spell_site(site: str) -> str:
    """How a site is written in the name of a folder."""
    written = _OTHER.sub(lambda found: b"~%02X" % found[0][0], _bytes(site))
    return written.decode("ascii")


def read_site(word: str) -> str:
    """The site that is meant by a word, which is as ``spell_site`` writes it or the name itself.

    Raises:
        ValueError: what the word spells is no text.
    """
    plain = _SPELT.sub(lambda found: bytes([int(found[1], 16)]), _bytes(word))
    return normalize("NFC", plain.decode("utf-8"))


def left_out_site(word: str) -> str | None:
    """The site that a partition's word leaves out; None for any other partition."""
    if not word.startswith(f"{LEAVE_OUT}-"):
        return None
    return read_site(word.removeprefix(f"{LEAVE_OUT}-"))


def _bytes(text: str) -> bytes:
    return normalize("NFC", text).encode("utf-8")
