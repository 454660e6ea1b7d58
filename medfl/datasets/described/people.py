"""Say whose a sample is, what outputs call people, and what may stand in an output."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from medfl.errors import MedflError, naming
from medfl.identity import Pseudonyms
from medfl.identity.attributes import can_identify
from medfl.identity.words import has_pattern
from medfl.imaging.dicom import attribute_tag

MANY = 20
"""Patients from which on a column with as many values as patients is suspect."""

NO_PATIENTS = (
    "NO PATIENTS: nothing says which images are of one patient, so each counts as a patient of its "
    "own. Where some share one, test results come out too good: say who is whose by `patient`"
)
_NESTED = re.compile(r"[.>/\[\]]|\)\s*\(")  # RequestAttributesSequence[0].PatientName


def numbered(names: Sequence[str], pseudonym: Callable[[str], str]) -> list[str]:
    """Give each name a pseudonym, numbered by first appearance: ``p000001-3f2a9c41d7b05e86``.

    The number keeps pseudonyms in the order of the data, so that a split, which sorts patients by
    name, is the same whatever the key is.
    """
    given: dict[str, str] = {}
    width = max(6, len(str(len(names))))
    for name in names:
        if name not in given:
            kind, digits = pseudonym(name).split("-", 1)
            given[name] = f"{kind}{len(given) + 1:0{width}d}-{digits}"
    return [given[name] for name in names]


def groups_of(
    patients: Sequence[str], ids: Sequence[str], pseudonyms: Pseudonyms, warnings: list[str]
) -> list[str]:
    """Give the pseudonym of each sample's patient; one without is a patient of its own.

    What a user must know about that is added to ``warnings``.
    """
    lone = sum(not patient for patient in patients)
    if lone == len(patients):
        warnings.insert(0, NO_PATIENTS)
        return list(ids)
    if lone:
        warnings.append(f"{lone:,} samples name no patient: each counts as one of its own")
    # No patient's name begins with NUL.
    named = [patient or f"\0{ident}" for patient, ident in zip(patients, ids, strict=True)]
    return numbered(named, pseudonyms.patient)


def refuse_personal(name: str, where: str) -> None:
    """Refuse an attribute that can identify a person where it would be written out as it is.

    Args:
        name: its keyword or tag, in any spelling; one within a sequence is refused, too.
        where: what asks for it, for errors.

    Raises:
        MedflError: it can, or is no attribute.
    """
    parts = [
        part for part in _NESTED.split(name) if part.strip() and not re.fullmatch(r"\d{1,3}", part)
    ]
    with naming(where):
        if len(parts) < 2 and not can_identify(attribute_tag(name)):
            return
    raise MedflError(
        f"{where}: `{name}` can identify a person, and would be written into the store: "
        "choose another attribute."
    )


def check_attributes(
    attributes: Sequence[Mapping[str, str]], patients: Sequence[str], where: str
) -> list[str]:
    """Refuse columns that are to be written out and whose values identify people.

    Args:
        attributes: the columns of each sample.
        patients: the patient of each sample, as the data call them; empty where nobody knows.
        where: what asks for these columns, for errors.

    Returns:
        Warnings about columns that may identify people.

    Raises:
        MedflError: values are dates, numbers of six digits and more, or the samples' own patients.
            No value is repeated.
    """
    warnings = []
    for name in dict.fromkeys(key for one in attributes for key in one):
        values = [one.get(name, "") for one in attributes]
        stated = [(v, p) for v, p in zip(values, patients, strict=True) if v]
        dated = sum(has_pattern(value) for value, _ in stated)
        if dated:
            raise MedflError(
                f"{where}: `{name}` holds a date, or a number of six digits and more, in {dated:,} "
                "samples, and would be written into the store: leave it out, or write it coarser "
                "(an age, a year, a range)."
            )
        own = sum(value.casefold() == patient.casefold() for value, patient in stated)
        if own > 1 and own * 2 > len(stated):
            raise MedflError(
                f"{where}: `{name}` is the patient in {own:,} samples, and would be written into "
                "the store: leave it out."
            )
        people, distinct = len(set(filter(None, patients))), len({v for v, _ in stated})
        if people >= MANY and distinct >= people and not all(map(_is_measured, values)):
            warnings.append(
                f"`{name}` has as many different values as there are patients: it may identify "
                "them, and is written into the store; leave it out of the attributes if it does"
            )
    return warnings


def _is_measured(value: str) -> bool:
    """Whether a value is empty, or a number with a fraction or up to three digits: a measure."""
    return re.fullmatch(r"|-?\d{1,3}|-?\d*[.,]\d+(e-?\d+)?", value, re.I) is not None


def folder_name(path: str, level: int) -> str | None:
    """Name the folder of a path at a level, 1 the topmost; None where the path is not as deep."""
    parts = path.split("/")[:-1]
    return parts[level - 1] if level <= len(parts) else None


def found_in(path: str, pattern: str) -> str | None:
    """Find the group of a pattern in a path; None where it does not fit."""
    match = re.search(pattern, path)
    return match[1] if match else None
