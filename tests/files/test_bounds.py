"""What a file may unpack to: 4 GiB, and 200 times its size where that is more than 64 MiB."""

from __future__ import annotations

import zlib

import pytest

from medfl.errors import FileError
from medfl.files.bounds import refuse_swelling, refuse_swelling_stream

MIB = 2**20


@pytest.mark.parametrize(
    ("unpacked", "packed", "why"),
    [
        (64 * MIB, 1, None),
        (64 * MIB + 1, 1, "swells 67,108,865-fold, to 67 MB"),
        (200 * MIB, MIB, None),
        (200 * MIB + 1, MIB, "swells 200-fold, to 210 MB"),
        (4 * 2**30, 2**30, None),
        (4 * 2**30 + 1, 2**30, "unpacks to 4.3 GB, more than the limit of 4.3 GB"),
        (10**15, 0, "unpacks to 1,000,000.0 GB"),
    ],
)
def test_where_the_bounds_lie(unpacked, packed, why):
    if why is None:
        refuse_swelling("a.png", unpacked, packed)
        return
    with pytest.raises(FileError, match=f"a.png is refused: it says that it {why}"):
        refuse_swelling("a.png", unpacked, packed)


def deflated(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()


def test_a_deflated_stream_is_measured_and_not_believed():
    refuse_swelling_stream("a.dcm", deflated(60 * MIB))
    refuse_swelling_stream("a.dcm", b"")
    with pytest.raises(FileError, match="swells"):
        refuse_swelling_stream("a.dcm", deflated(70 * MIB))
