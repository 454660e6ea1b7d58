"""The first sheet of an Excel workbook as CSV: some publishers ship their tables so.

An .xlsx file is a zip archive of XML (ECMA-376, part 1, chapter 18): shared strings in one member,
the cells of each sheet in another. Dates and formats are not interpreted: cells are as stored.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.errors import MedflError
from medfl.files.archives import check_members

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 1 << 28  # of XML
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def sheet_as_csv(path: Path) -> str:
    """The first sheet as comma-separated text; ``MedflError`` where it cannot be read."""
    from xml.etree.ElementTree import ParseError

    if not path.is_file():
        raise MedflError(f"the table {path} does not exist.")
    check_members(path, MAX_BYTES)
    output = io.StringIO()
    writer = csv.writer(output)
    try:
        with zipfile.ZipFile(path) as book:
            strings = list(_strings(book))
            for row in _parse(book, _first_sheet(book)).iter(f"{_MAIN}row"):
                writer.writerow(_cells(row, strings))
    except (LookupError, ValueError, ParseError, zipfile.BadZipFile, zlib.error) as error:
        raise MedflError(
            f"{path} is not an Excel workbook that can be read ({error}): save it as CSV (UTF-8)."
        ) from error
    return output.getvalue()


def _parse(book: zipfile.ZipFile, member: str) -> Element:
    from xml.etree import ElementTree

    return ElementTree.fromstring(book.read(member))


def _first_sheet(book: zipfile.ZipFile) -> str:
    sheet = next(_parse(book, "xl/workbook.xml").iter(f"{_MAIN}sheet"), None)
    if sheet is None:
        raise ValueError("no sheet")
    links = _parse(book, "xl/_rels/workbook.xml.rels")
    targets = {link.attrib["Id"]: link.attrib["Target"] for link in links}
    target = targets[sheet.attrib[_LINK]]
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _strings(book: zipfile.ZipFile) -> Iterator[str]:
    if "xl/sharedStrings.xml" not in book.namelist():
        return
    for item in _parse(book, "xl/sharedStrings.xml"):
        yield _text(item)


def _text(item: Element) -> str:
    """The text of a string: plain, or in runs of different fonts (phonetic hints left out)."""
    plain = item.findall(f"{_MAIN}t")
    runs = item.findall(f"{_MAIN}r/{_MAIN}t")
    return "".join(part.text or "" for part in plain + runs)


def _cells(row: Element, strings: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_MAIN}c"):
        column = _column(cell.attrib.get("r", ""), len(cells))
        cells += [""] * (column + 1 - len(cells))
        value = cell.findtext(f"{_MAIN}v") or ""
        kind = cell.attrib.get("t")
        if kind == "s":
            value = strings[int(value)]
        elif kind == "inlineStr":
            value = "".join(_text(item) for item in cell.iter(f"{_MAIN}is"))
        cells[column] = value
    return cells


def _column(reference: str, following: int) -> int:
    """``AB12`` is column 27; a cell without reference follows the one before it."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return following
    number = 0
    for letter in letters[0]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
