"""Lookup tables: what each stored value means (modality LUT) or how it is shown (VOI LUT).

DICOM PS3.3 C.11.1.1.1 gives their layout: number of entries, first value mapped, bits of an entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import Reason

if TYPE_CHECKING:
    from pydicom import Dataset


def read_lut(item: Dataset, little_endian: bool, signed: bool) -> tuple[int, np.ndarray, int]:
    """Read one item of a LUT sequence: the first value mapped, (N,) entries, bits of an entry.

    ``signed`` says whether the values that go in have a sign: the file does not say it of the first
    value mapped.

    Raises:
        Reason: it has fewer entries than it says, or not 1 to 16 bits an entry. What pydicom
            raises for attributes that are missing or no numbers comes besides.
    """
    entries, first, bits = (int(value) for value in item.LUTDescriptor)
    entries = entries or 65536
    if signed and first >= 32768:
        first -= 65536
    data = item.LUTData
    if isinstance(data, bytes):
        wide = len(data) >= 2 * entries
        kind = ("<u2" if little_endian else ">u2") if wide else "u1"
        levels = np.frombuffer(data, kind)
    else:
        wide, levels = True, np.atleast_1d(np.asarray(data))
    if len(levels) < entries or not 1 <= bits <= (16 if wide else 8):
        raise Reason("a lookup table is shorter than it says, or not of 8 to 16 bits")
    return first, levels[:entries].astype(np.float32), bits


def look_up(values: np.ndarray, first: int, levels: np.ndarray) -> np.ndarray:
    """Map values through a table, in their shape; those beyond its ends get its end entries."""
    index = np.clip(np.nan_to_num(np.rint(values) - first), 0, len(levels) - 1)
    mapped: np.ndarray = levels[index.astype(np.int32)]
    return mapped
