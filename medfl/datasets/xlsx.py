"""The first sheet of an Excel workbook: some publishers ship their tables so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from medfl.errors import MedflError, Reason, failure
from medfl.files.archives import check_members
from medfl.files.regular import regular

MAX_BYTES = 1 << 28  # so much XML is read at most
MAX_ROWS = 1 << 20  # a sheet of Excel has no more
MAX_CELLS = 1 << 25  # empty ones too: one cell far to the right makes a row long


def sheet_rows(path: Path) -> Iterator[list[str]]:
    """Give the rows of the first visible sheet as text; ``MedflError`` where it cannot be read.

    Numbers stand as Python writes them, whole ones without a point (``7``, not ``7.0``), dates as
    ``2021-03-14``, with the time of day where it is not midnight. Of a formula the value counts
    that Excel saved. Row number n is the n-th, because empty rows are given, too.
    """
    if not path.is_file():
        raise MedflError(f"the table {path} does not exist.")
    check_members(path, MAX_BYTES)
    try:
        for row in _rows(path):
            yield [_text(cell) for cell in row]
    except (MedflError, MemoryError):
        raise
    # openpyxl lets through whatever a damaged part of the file runs into.
    except Exception as error:
        root: BaseException = error
        while root.__cause__ is not None:  # it wraps some in long words
            root = root.__cause__
        raise MedflError(
            f"{path} is not an Excel workbook that can be read ({failure(root)}): save it as CSV "
            "(UTF-8)."
        ) from None


def _rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of the sheet; rows that are left out in the file come as empty ones."""
    from openpyxl import load_workbook

    cells = 0
    with open(path, "rb", opener=regular) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about styles and filters, which no table needs
        book = load_workbook(file, read_only=True, data_only=True)
        if not book.worksheets:
            raise Reason("it has no sheet")
        # Excel shows no hidden sheet, so a person does not know of one that stands first.
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        sheet = (visible or book.worksheets)[0]
        sheet.reset_dimensions()  # the file's own word on its size, which need not be true
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            cells += len(row)
            if number > MAX_ROWS or cells > MAX_CELLS:
                raise MedflError(
                    f"{path} is refused: its first sheet is larger than Excel's sheets are, or "
                    "almost empty and very wide. Save the table in it as CSV (UTF-8)."
                )
            yield row


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()  # as Excel shows it
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
