"""Choose the rule that keeps the names of one's own files from naming people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from medfl.datasets.described.files import Found
from medfl.identity import FileNames, Identifiers, Pseudonyms, of_patients
from medfl.identity.file_names import NameRule


def file_names(
    option: Literal["auto", "hide", "show"],
    found: Found,
    pseudonyms: Pseudonyms,
    known: Collection[str],
    people: Collection[str],
) -> FileNames:
    """Choose what outputs call files.

    Args:
        option: what the description asks for.
        found: the files and headers.
        pseudonyms: the dataset's.
        known: labels and sites, which are written out anyway.
        people: patients by header, table, folder or name.
    """
    rule: NameRule = "compare" if option == "auto" else option
    if option == "auto" and not _headers_name_people(found):
        rule = "hide"
    identifiers = Identifiers.union([found.identifiers, of_patients(people)])
    return FileNames(pseudonyms, identifiers, rule, known, people)


def _headers_name_people(found: Found) -> bool:
    """Whether names of files can be compared with those of the people in them.

    For that, most of the data must be DICOM whose headers name a patient: headers that were
    de-identified do not know whose names people gave to the files before.
    """
    headers = found.headers.values()
    name = [
        one
        for one in headers
        if one.attributes.get("PatientName")
        and one.attributes.get("PatientIdentityRemoved", "").upper() != "YES"
    ]
    return bool(name) and len(name) * 2 > len(found.files)
