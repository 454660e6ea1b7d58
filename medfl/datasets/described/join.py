"""Bring files and table together: which files are a sample, and which row tells about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medfl.datasets.described.called import cell_path, index_of, is_listed
from medfl.datasets.described.files import COPY, RELABELLED, Found, id_pattern
from medfl.datasets.described.schema import Description
from medfl.datasets.described.table import file_columns
from medfl.datasets.tables import Row, Table
from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion
from medfl.identity.spelling import spelling

NO_ROW = "no row of the table names it"
OTHER_SPELLING = "no row of the table has its {}, though one has another spelling of it"
JOINED = ", or say `patient: {normalise: true}`"
NO_FILE = "the table names it, but there is no such file"
NO_MODALITY = "lacks the image of modality `{}`"


@dataclass(frozen=True)
class Item:
    """What becomes a sample.

    Attributes:
        key: what it is called and sorted by: its first file's path below the folder, or its id.
        files: paths below the folder, one for each modality.
        row: its line of the table.
    """

    key: str
    files: tuple[str, ...]
    row: Row | None = None


def gather(
    data: Description, found: Found, table: Table | None
) -> tuple[list[Item], list[Exclusion]]:
    """Make samples, in the order of their keys, and list what is left out.

    Raises:
        MedflError: a row fits several files, a file several rows, or nothing fits.
    """
    if any(modality.files for modality in data.modalities.values()):
        items, left = _by_pattern(data, found, table)
    elif table is not None and data.columns.key is not None:
        items, left = _by_attribute(*data.columns.key, found, table, data.patient.normalise)
    elif table is not None:
        items, left = _by_row(data, found, table)
    else:
        items, left = [Item(name, (name,)) for name in found.files], []
    return sorted(items, key=lambda item: item.key), left


def copies_of(
    items: Sequence[Item], labels: Sequence[tuple[str, ...]], found: Found
) -> dict[int, Exclusion]:
    """Find samples all of whose files are copies of an earlier sample's: by row, why left out.

    Args:
        items: N samples.
        labels: their labels.
        found: which files are copies.
    """
    first: dict[tuple[str, ...], int] = {}
    copies = {}
    for row, item in enumerate(items):
        same = first.setdefault(tuple(found.copies.get(f, f) for f in item.files), row)
        if same != row:
            reason = COPY if set(labels[row]) == set(labels[same]) else RELABELLED
            copies[row] = Exclusion(item.key, reason, twin=items[same].key)
    return copies


def _by_row(data: Description, found: Found, table: Table) -> tuple[list[Item], list[Exclusion]]:
    columns = file_columns(data, table)
    index = index_of(found.files)
    out = index_of([one.file for one in found.left])
    items: list[Item] = []
    left: list[Exclusion] = []
    taken: dict[str, int] = {}
    for row in table:
        files = []
        for modality, column in columns.items():
            name = _look_up(row, column, index, found, table)
            if name is None:
                lacking = NO_MODALITY.format(modality) if modality and not row[column] else NO_FILE
                if not is_listed(row[column], out, found):
                    left.append(Exclusion(f"line {row.line} of the table", lacking, public=True))
                break
            if name in taken:
                raise MedflError(
                    f"{table.path}, line {row.line}: the same file stands in line {taken[name]} "
                    "already; write one line per file (several labels parted by a separator)."
                )
            files.append(name)
        else:
            taken |= dict.fromkeys(files, row.line)
            items.append(Item(files[0], tuple(files), row))
    if not items:
        column = next(iter(columns.values()))
        slices = index_of([path for name in found.stacks for path in found.paths(name)])
        if named := sum(cell_path(row[column], found) in slices for row in table):
            raise MedflError(
                f"{table.path}: {named:,} rows name slices by their column `{column}`, and no row "
                "a volume: write one row for each series, with the path of its folder from "
                f"{found.folder} (or of its first slice, where the folder holds several)."
            )
        raise MedflError(
            f"{table.path}: none of the files that its column `{column}` names is below "
            f"{found.place}. It must hold paths from there, or file names."
        )
    left += [_without_row(name, found) for name in found.files if name not in taken]
    return items, left


def _without_row(name: str, found: Found) -> Exclusion:
    if name in found.copies:
        return Exclusion(name, COPY, twin=found.copies[name])
    return Exclusion(name, NO_ROW)


def _by_pattern(
    data: Description, found: Found, table: Table | None
) -> tuple[list[Item], list[Exclusion]]:
    """Make multi-modal samples of files whose paths differ in the modality's part only."""
    patterns = {name: id_pattern(part.files) for name, part in data.modalities.items()}
    samples: dict[str, dict[str, str]] = {}
    fits = set()
    for file in found.files:
        for name, pattern in patterns.items():
            if match := pattern.fullmatch(file):
                if name in samples.setdefault(match[1], {}):
                    raise MedflError(
                        f"modality `{name}`: two files below {found.place} fit "
                        "its `files` for one id; write more of the path."
                    )
                samples[match[1]][name] = file
                fits.add(file)
    if not samples:
        shown = ", ".join(f"modalities.{name}" for name in data.modalities)
        raise MedflError(f"no file below {found.place} fits any of {shown}.")
    rows = table.by_id(data.columns.id or "id") if table is not None else None
    items: list[Item] = []
    left = [Exclusion(name, "fits no modality") for name in found.files if name not in fits]
    for key, files in samples.items():
        lacking = next((name for name in patterns if name not in files), None)
        if lacking is not None:
            left.append(Exclusion(key, NO_MODALITY.format(lacking)))
        elif rows is not None and key not in rows:
            left.append(Exclusion(key, NO_ROW))
        else:
            row = rows[key] if rows is not None else None
            items.append(Item(key, tuple(files[name] for name in patterns), row))
    if rows is not None:
        left += [
            Exclusion(f"line {row.line} of the table", NO_FILE, public=True)
            for key, row in rows.items()
            if key not in samples
        ]
    if not items:
        raise MedflError(
            f"below {found.place}, no sample has all of {', '.join(patterns)}"
            + (f" and a row in {table.path}." if table is not None else ".")
        )
    return items, left


def _by_attribute(
    keyword: str, column: str, found: Found, table: Table, normalise: bool
) -> tuple[list[Item], list[Exclusion]]:
    """Join by a DICOM attribute that a column of the table holds; a row may tell of many files.

    With ``normalise``, a PatientID also has the only row whose cell is another spelling of it.
    """
    rows = table.by_id(column)
    spelt: dict[str, list[str]] = {}
    for key in rows:
        spelt.setdefault(spelling(key), []).append(key)
    items: list[Item] = []
    left: list[Exclusion] = []
    fits: set[str] = set()
    for name in found.files:
        header = found.header(name)
        value = header.attributes[keyword] if header is not None else ""
        alike = spelt.get(spelling(value), []) if value not in rows else []
        if normalise and keyword == "PatientID" and len(alike) == 1:
            value = alike[0]
        if header is None:
            left.append(Exclusion(name, f"is no DICOM file, so it has no {keyword}"))
        elif not value:
            left.append(Exclusion(name, f"states no {keyword}"))
        elif value not in rows:
            left.append(Exclusion(name, OTHER_SPELLING.format(keyword) if alike else NO_ROW))
        else:
            fits.add(value)
            items.append(Item(name, (name,), rows[value]))
    if not items:
        odd = sum(one.reason == OTHER_SPELLING.format(keyword) for one in left)
        hint = (
            f" ({odd:,} files would fit if zeros at the front, a decimal point and marks did not "
            "count, as a spreadsheet may have changed them: export the column as text"
            f"{JOINED if keyword == 'PatientID' else ''})"
            if odd
            else ""
        )
        raise MedflError(
            f"{table.path}: no DICOM file below {found.place} has a {keyword} that stands in the "
            f"column `{column}`{hint}."
        )
    left += [
        Exclusion(f"line {row.line} of the table", f"no DICOM file has its {keyword}", public=True)
        for key, row in rows.items()
        if key not in fits
    ]
    return items, left


def _look_up(
    row: Row, column: str, index: dict[str, list[str]], found: Found, table: Table
) -> str | None:
    cell = cell_path(row[column], found)
    if not cell:
        return None
    fits = index.get(cell, [])
    if cell in fits:  # the cell is a whole path, whatever else is called so
        return cell
    if len(fits) > 1:
        raise MedflError(
            f"{table.path}, line {row.line}: {len(fits)} files below {found.place} are called "
            f"like its `{column}`: write their paths from there."
        )
    return fits[0] if fits else None
