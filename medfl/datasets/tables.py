"""Read tables as people have them: with a BOM, with semicolons or tabs, with odd columns."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medfl.config import did_you_mean
from medfl.datasets.xlsx import sheet_rows
from medfl.errors import MedflError, failure
from medfl.files.regular import read_bytes
from medfl.identity import quoted
from medfl.identity.file_names import is_plain
from medfl.identity.words import has_pattern
from medfl.imaging.kinds import kind_by_ending

DELIMITERS = ",;\t|"
ENCODINGS = ("utf-8-sig", "utf-16", "cp1252")


@dataclass(frozen=True)
class Row:
    """One line of a table: its number in the file, and its cells by column, stripped."""

    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def get(self, column: str, default: str = "") -> str:
        """Give the cell of a column that need not be there."""
        return self.cells.get(column, default)


@dataclass(frozen=True)
class Table:
    """A table in memory.

    Attributes:
        path: the file, for messages.
        columns: their names, stripped, in the file's order.
        rows: the lines that are not empty.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Sequence[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def by_id(self, column: str) -> dict[str, Row]:
        """Sort rows by the value of a column; an empty or repeated value is a ``MedflError``.

        No message repeats a value: it may be a patient's.
        """
        found: dict[str, Row] = {}
        for row in self.rows:
            name = row[column]
            if not name or name in found:
                what = f"stands in line {found[name].line} already" if name else "is empty"
                raise MedflError(f"{self.path}, line {row.line}: its `{column}` {what}.")
            found[name] = row
        return found


def read_table(path: Path, required: Iterable[str] = (), optional: Iterable[str] = ()) -> Table:
    """Read a delimited table; the delimiter is the one of , ; tab | that parts the header best.

    Args:
        path: the file, in UTF-8 with or without a byte order mark, in UTF-16 with one, or in
            Windows-1252. If it is an Excel workbook (.xlsx), its first visible sheet is read, and
            lines are Excel's rows.
        required: columns that must be there; letters' case and surrounding spaces do not matter,
            and rows name them as they are spelt here.
        optional: columns that need not be there; rows name them so, too.

    Raises:
        MedflError: the file is not there or no text, its first line is data and no header, a column
            is missing or stands there twice, or a line has more cells than the header. No cell is
            repeated that may name a person.
    """
    workbook = path.suffix.casefold() == ".xlsx"
    delimiter, read_rows = ("", _sheet(path)) if workbook else _lines(path)
    rows = [(line, row) for line, row in read_rows if any(row)]
    if not rows:
        raise MedflError(f"{path} is empty: expected a header and rows.")
    needed = list(required)
    if _is_data(rows, needed):
        raise MedflError(
            f"{path}: its first line is data, and none that names the columns: put one above it, "
            "such as `file,label,patient`."
        )
    columns = _columns(path, rows.pop(0)[1], [*needed, *optional], set(needed))
    if not rows:
        raise MedflError(f"{path} has no rows below its header.")
    read = []
    for line, row in rows:
        if any(row[len(columns) :]):
            hint = (
                f"Put quotes around cells that hold a `{delimiter}`."
                if delimiter
                else "Empty the cells to the right of the header, or name their columns."
            )
            raise MedflError(
                f"{path}, line {line}: {len(row)} cells under {len(columns)} columns. {hint}"
            )
        row += [""] * (len(columns) - len(row))
        named = zip(columns, row, strict=False)
        read.append(Row(line, {column: cell for column, cell in named if column}))
    return Table(path, tuple(column for column in columns if column), read)


def _sheet(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a workbook, with the numbers that Excel shows beside them."""
    for number, row in enumerate(sheet_rows(path), start=1):
        while row and not row[-1].strip():  # cells that are only formatted
            row.pop()
        yield number, [cell.strip() for cell in row]


def _lines(path: Path) -> tuple[str, list[tuple[int, list[str]]]]:
    """The delimiter of a text table, and its rows with the numbers of their lines."""
    lines = _text(path)
    first = next((line for line in lines.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=lambda mark: (first.count(mark), -DELIMITERS.index(mark)))
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise MedflError(
            f"{path}, line {reader.line_num}: not a table ({failure(error)})."
        ) from error
    return delimiter, rows


def _is_data(rows: list[tuple[int, list[str]]], needed: list[str]) -> bool:
    """Whether the first row is one like the others, and names no columns.

    Files stand in it; or, where it lacks a column that is needed or has one of a name that is a
    value, dates do, or what recurs below in the same column.
    """
    first = rows[0][1]
    if any(kind_by_ending(cell) for cell in first):
        return True
    below = [row for _, row in rows[1:] if row != first]
    named = {cell.casefold() for cell in first}
    lacking = not {name.casefold() for name in needed} <= named
    return any(
        has_pattern(cell) or any(row[place : place + 1] == [cell] for row in below)
        for place, cell in enumerate(first)
        if cell and (lacking or cell in needed)
    )


def _columns(path: Path, header: list[str], wanted: list[str], required: set[str]) -> list[str]:
    spelling = {name.casefold(): name for name in wanted}
    columns = [spelling.get(name.casefold(), name) for name in header]
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise MedflError(f"{path}: the column {quoted(min(twice))} stands there twice.")
    for name in wanted:
        if name in required and name not in columns:
            near = difflib.get_close_matches(name, columns, n=1, cutoff=0.8)
            known = near or [column for column in columns if column and is_plain(column)]
            raise MedflError(f"{path} lacks the column `{name}`{did_you_mean(name, known)}")
    return columns


def _text(path: Path) -> str:
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise MedflError(f"the table {path} does not exist.") from error
    except OSError as error:
        raise MedflError(f"the table {path} cannot be read ({error.strerror}).") from error
    if b"\0" in content[:4096] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MedflError(f"{path} is not a text table: save it as CSV (UTF-8).")
    for encoding in ENCODINGS:
        if encoding == "utf-16" and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            continue
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise MedflError(f"{path} is not a text table: save it as CSV (UTF-8).")
