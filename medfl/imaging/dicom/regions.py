"""Which parts of an ultrasound picture show tissue, as its header states them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

TWO_DIMENSIONAL = 1  # in Region Spatial Format (0018,6012); others are M-mode, spectrum …
TISSUE = (None, 0, 1)  # in Region Data Type (0018,6014), or not stated; 2 is coloured flow


def tissue_regions(header: Dataset) -> tuple[tuple[int, int, int, int], ...]:
    """Read top, bottom, left and right (ends excluded) of each region in two dimensions.

    The result is empty where no region of tissue is stated (a box of colour Doppler alone is no
    picture), and where a region does not fit the picture, which was then cut or scaled after the
    header was written. PS3.3 C.8.5.5.
    """
    regions, tissue = [], False
    rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    for one in header.get("SequenceOfUltrasoundRegions") or ():
        if one.get("RegionSpatialFormat") != TWO_DIMENSIONAL:
            continue
        corners = [one.get(f"RegionLocation{end}") for end in ("MinY0", "MaxY1", "MinX0", "MaxX1")]
        if None in corners:
            return ()
        top, bottom, left, right = map(int, corners)
        # Some machines state the last pixel, some the one after it.
        if not (0 <= top < bottom <= rows and 0 <= left < right <= columns):
            return ()
        regions.append((top, min(bottom + 1, rows), left, min(right + 1, columns)))
        tissue |= one.get("RegionDataType") in TISSUE
    return tuple(regions) if tissue else ()
