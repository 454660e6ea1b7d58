"""How a file asks to be shown: its window, or the table in place of one (PS3.3 C.11.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.imaging.dicom.lut import read_lut
from medfl.imaging.remarks import remark
from medfl.imaging.windows import LINEAR_SMALLEST, is_window

if TYPE_CHECKING:
    from pydicom import Dataset

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def window_of(own: Dataset) -> tuple[float, float, str] | None:
    """The first of a file's windows: centre, width, function.

    A width that is not positive, or a number that is none, is no window: the picture is shown as
    that of a file without one, and a remark says so. A linear window narrower than 1, which the
    standard forbids and maps of parameters have all the same, is taken as LINEAR_EXACT.
    """
    numbers = [_first(own.get(name)) for name in ("WindowCenter", "WindowWidth")]
    if all(number in (None, "") for number in numbers):
        return None
    try:
        centre, width = (float(number) for number in numbers)
    except (TypeError, ValueError):  # one is empty, or no number
        centre, width = np.nan, np.nan
    if not is_window(centre, width):
        remark(["its window is none (no number, or not wider than 0): shown as without a window"])
        return None
    function = str(own.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function not in FUNCTIONS:
        function = "LINEAR"
    if function == "LINEAR" and width < LINEAR_SMALLEST:
        remark(["its window is narrower than 1: taken for one of function LINEAR_EXACT"])
        function = "LINEAR_EXACT"
    return centre, width, function


def table_of(own: Dataset, little_endian: bool, signed: bool) -> tuple[int, np.ndarray] | None:
    """The first of a file's VOI LUTs: the first value mapped, and (N,) entries in [0, 1].

    A damaged one is none, and a remark says so. ``signed`` is for ``read_lut``.
    """
    if not own.get("VOILUTSequence"):
        return None
    try:
        first, levels, bits = read_lut(own.VOILUTSequence[0], little_endian, signed)
    except Exception:  # what pydicom says of it would quote the file
        remark(["its VOI lookup table is damaged: shown as without one"])
        return None
    return first, np.clip(levels / np.float32(2**bits - 1), 0, 1)


def _first(value: Any) -> Any:
    """The first of several values; pydicom gives a lone one without a list."""
    if isinstance(value, (list, tuple)) or hasattr(value, "append"):
        return value[0] if len(value) else None
    return value
