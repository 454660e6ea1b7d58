"""How much a file may unpack to: by what it says of itself, before memory is taken for it."""

from __future__ import annotations

import os
import zlib

from medfl.errors import FileError

MOST = 4 << 30  # bytes that one image, volume or array may unpack to
RATIO = 200  # unpacked bytes by packed ones, as no image of a person has
SMALL = 64 << 20  # what unpacks to no more than this may have any ratio


def refuse_swelling(path: str | os.PathLike[str], unpacked: int, packed: int) -> None:
    """Refuse a file (``FileError``) that says it unpacks to more than is sane.

    Args:
        path: the file.
        unpacked: bytes that it would need in memory.
        packed: bytes that they have in the file.
    """
    if unpacked > MOST:
        raise FileError(
            path,
            f"is refused: it says that it unpacks to {unpacked / 1e9:,.1f} GB, more than the limit "
            f"of {MOST / 1e9:,.1f} GB: make it smaller, or cut it into parts",
        )
    if unpacked > max(SMALL, RATIO * packed):
        raise FileError(
            path,
            f"is refused: it says that it swells {unpacked / max(1, packed):,.0f}-fold, to "
            f"{unpacked / 1e6:,.0f} MB, as no image does: get this file again",
        )


def refuse_swelling_stream(path: str | os.PathLike[str], packed: bytes) -> None:
    """Refuse a file by its deflated bytes, which say nothing: they are inflated, and not kept."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacked, rest = 0, packed
    while rest and not inflate.eof:
        unpacked += len(inflate.decompress(rest, 1 << 20))
        rest = inflate.unconsumed_tail
        refuse_swelling(path, unpacked, len(packed))
