"""Palettes (PS3.3 C.7.6.3.1.5): what colour each stored value is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medfl.imaging.numbers import remark_if_lost

if TYPE_CHECKING:
    from pydicom import Dataset

COLOURS = ("Red", "Green", "Blue")
TABLES = tuple(f"{part}PaletteColorLookupTableData" for part in COLOURS)
SEGMENTED = tuple(f"Segmented{name}" for name in TABLES)


def apply_palette(stored: np.ndarray, header: Dataset) -> tuple[np.ndarray, int]:
    """Look stored values (H, W) up: (H, W, 3) of 8 or 16 bits, and how many bits.

    Raises:
        ValueError, AttributeError, TypeError: the palette is damaged, as pydicom says.
    """
    from pydicom.pixels import apply_color_lut

    coloured = apply_color_lut(stored, _little_endian(header))[..., :3]
    remark_if_lost(stored, [coloured])
    return coloured, 8 * coloured.dtype.itemsize


def _little_endian(header: Dataset) -> Dataset:
    """The attributes with the palette's words in little endian, as pydicom's function needs them.

    Tables of 8 bits are words of two entries, so their bytes are swapped as well (PS3.5 A.3).
    """
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    if header.file_meta.TransferSyntaxUID.is_little_endian:
        return header
    swapped = Dataset(header)
    swapped.file_meta = FileMetaDataset()
    swapped.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name in (*TABLES, *SEGMENTED):
        if name in header and header[name].VR != "OB":  # bytes have no order
            words = np.frombuffer(header[name].value, ">u2").astype("<u2")
            swapped.add_new(header[name].tag, "OW", words.tobytes())
    return swapped
