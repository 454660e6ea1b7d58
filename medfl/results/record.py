"""Reads the record of a run, and takes single numbers from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medfl.config import validate
from medfl.errors import MedflError, failure
from medfl.files import is_whole, load_json
from medfl.files.regular import regular
from medfl.results.columns import Column
from medfl.results.migrate import STEPS, migrate
from medfl.results.schema import COMPLETED, DIVERGED, SCHEMA, Record

_KEYS = b"config_sha256|code_sha|results_versions|split_sha256|store_fingerprint|tuned_sha256"
_ORIGIN = re.compile(rb'"(%s)": (null|"[^"\n]*")' % _KEYS)
AGAIN = "delete this run's folder and train it again."


class DamagedRecordError(MedflError):
    """The record cannot be used: its run must be made again."""


def read_record(path: str | os.PathLike[str]) -> Record:
    """Read ``metrics.json``; a record of an older schema is brought to today's.

    Raises:
        DamagedRecordError: where it is not the record of a finished run.
        MedflError: where a newer medfl wrote it.
    """
    path = Path(path)
    try:
        content = load_json(path)
    except FileNotFoundError as error:
        raise DamagedRecordError(
            f"{path.parent} is not the folder of a finished run: it has no {path.name}."
        ) from error
    except (OSError, ValueError) as error:
        raise DamagedRecordError(f"{path} cannot be read ({failure(error)}): {AGAIN}") from error
    if not isinstance(content, dict):
        raise DamagedRecordError(f"{path} is not the record of a finished run: {AGAIN}")
    content = _current(content, path)
    if content.get("status") not in (COMPLETED, DIVERGED):
        raise DamagedRecordError(f"{path} is not the record of a finished run: {AGAIN}")
    try:
        record = validate(Record, content, f"{path} is damaged ({AGAIN})", lambda _: "`…`")
    except MedflError as error:
        raise DamagedRecordError(str(error)) from error
    if record.status == COMPLETED and not record.test.model_fields_set:
        raise DamagedRecordError(f"{path} holds no metrics of a completed run: {AGAIN}")
    return record


def origin_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a record says of its run's settings and code: a part of its provenance.

    Nothing else is read or checked: thousands of records are asked when a grid is planned. It is
    empty where there is no record, or a damaged one.
    """
    try:
        with open(path, "rb", opener=regular) as file:
            content = file.read()
    except OSError:
        return {}
    start = content.find(b'"provenance"')
    found = _ORIGIN.findall(content, start) if start >= 0 else []
    try:
        return {key.decode(): json.loads(value) for key, value in found}
    except ValueError:  # a text that is none of JSON's
        return {}


def _current(content: dict[str, Any], path: Path) -> dict[str, Any]:
    schema = content.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise MedflError(
            f"{path} was written by a newer medfl (schema {schema}, this one reads up to "
            f"{SCHEMA}): use that one, or {AGAIN}"
        )
    if not is_whole(content):
        raise DamagedRecordError(
            f"{path} is damaged or was edited: it is not what its run wrote. Put the right one "
            f"back, or {AGAIN}"
        )
    if schema == SCHEMA:
        return content
    if type(schema) is not int or schema not in STEPS:
        raise DamagedRecordError(
            f"{path} has a schema that is none of those that this medfl reads, {min(STEPS)} to "
            f"{SCHEMA}: {AGAIN}"
        )
    return migrate(content, SCHEMA)


def as_dict(record: Record) -> dict[str, Any]:
    """The record as it stands in the file; fields that were never set are left out."""
    return record.model_dump(by_alias=True, exclude_unset=True)


def value(record: Record, column: Column) -> Any:
    """What a record says in a column; None where it says nothing."""
    part: Any = record
    for name in column.source.split("."):
        part = getattr(part, name, None)
    return part


def row_of(record: Record, columns: Iterable[Column]) -> dict[str, Any]:
    """What a record says in some columns; what is not known is left out."""
    row = {column.name: value(record, column) for column in columns}
    return {name: number for name, number in row.items() if number is not None}
