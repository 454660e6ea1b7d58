"""The table of a description: the columns that it must have, and what its rows are known by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medfl.datasets.described.schema import Description
from medfl.datasets.tables import Table, read_table
from medfl.errors import MedflError
from medfl.identity import plain_path

STANDARD = ("file", "id", "label", "patient", "site", "fold")


def keywords_of(data: Description, table: Table | None) -> list[str]:
    """List those of ``columns.attributes`` that are DICOM attributes and no columns."""
    columns = table.columns if table is not None else ()
    return [name for name in data.columns.attributes if name not in columns]


def read_described_table(data: Description, path: Path) -> Table:
    """Read the table, which must have every column that the description names."""
    columns = data.columns
    required = files_by(data)
    if isinstance(columns.label, list):
        required += columns.label
    elif columns.label or data.labels.source in ("auto", "table"):
        required.append(columns.label or "label")
    required += [name for name in (columns.patient, columns.site, columns.fold) if name]
    required += [name for name in columns.attributes if not _is_keyword(name)]
    optional = [*STANDARD, *columns.attributes]
    shown = plain_path(path)
    try:
        table = read_table(path, dict.fromkeys(required), dict.fromkeys(optional))
    except MedflError as error:
        raise MedflError(str(error).replace(str(path), shown)) from error
    return replace(table, path=Path(shown))


def files_by(data: Description) -> list[str]:
    """Name the columns by which the table knows its files."""
    columns = data.columns
    if any(modality.files for modality in data.modalities.values()):
        return [columns.id or "id"]
    if columns.key is not None:
        return [columns.key[1]]
    if isinstance(columns.file, dict):
        return list(columns.file.values())
    return [columns.file or "file"]


def _is_keyword(name: str) -> bool:
    """Whether a name is written like a DICOM keyword: PatientSex, but not sex or Sex."""
    return name[:1].isupper() and sum(letter.isupper() for letter in name) > 1 and name.isalnum()


def modalities_of(data: Description, table: Table | None) -> Sequence[str]:
    """Name a sample's images; where it has only one, its name is empty."""
    if any(modality.files for modality in data.modalities.values()):
        return tuple(data.modalities)
    if table is not None and data.columns.key is None:
        return tuple(file_columns(data, table))
    return ("",)


def file_columns(data: Description, table: Table) -> dict[str, str]:
    """Find the columns that name files, by modality; where there is one, it is called ''."""
    if isinstance(data.columns.file, dict):
        return data.columns.file
    return {"": data.columns.file or "file"}
