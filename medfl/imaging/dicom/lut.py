"""Lookup tables: what each stored value means (modality LUT) or how it is shown (VOI LUT).

Their layout is that of DICOM PS3.3 C.11.1.1.1: entries, first value mapped, bits of an entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset


def read_lut(item: Dataset, little_endian: bool, signed: bool) -> tuple[int, np.ndarray, int]:
    """One item of a LUT sequence: the first value mapped, the (N,) entries, bits of an entry.

    ``signed`` says whether the values that go in are: files give the first one as US or SS.
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
        levels = np.atleast_1d(np.asarray(data))
    if not len(levels[:entries]) > 0:
        raise ValueError("a lookup table is empty")
    return first, levels[:entries].astype(np.float32), bits


def look_up(values: np.ndarray, first: int, levels: np.ndarray) -> np.ndarray:
    """Map values through a table; those beyond its ends get its end entries. Shape kept."""
    index = np.clip(np.rint(values).astype(np.int64) - first, 0, len(levels) - 1)
    return levels[index]
