"""Writes tables that spreadsheets open: no word of a person in them is taken for a formula."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medfl.files import write_csv

BEGINS = ("=", "+", "-", "@", "\t", "\r")


def no_formula(text: str) -> str:
    """A word for a cell of a CSV, which no spreadsheet takes for a formula.

    One that begins as a formula does gets an apostrophe before it (OWASP, "CSV injection"); a
    number stays as it is.
    """
    return f"'{text}" if text.startswith(BEGINS) and not _is_number(text) else text


def write_spreadsheet(
    path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write rows as ``write_csv`` does, without formulas in heads and cells."""
    heads = {column: no_formula(column) for column in columns}
    shown = ({heads[key]: _cell(value) for key, value in row.items()} for row in rows)
    write_csv(path, list(heads.values()), shown)


def _cell(value: Any) -> Any:
    return no_formula(value) if isinstance(value, str) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
