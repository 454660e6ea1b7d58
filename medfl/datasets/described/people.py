"""Say whose a sample is, and what outputs call people."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from medfl.identity import Pseudonyms

NO_PATIENTS = (
    "NO PATIENTS: nothing says which images are of one patient, so each counts as a patient of its "
    "own. Where some share one, test results come out too good: say who is whose by `patient`"
)


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
        warnings.append(
            f"{lone:,} samples name no patient, or an unknown one (such as NA): each counts as one "
            "of its own"
        )
    # No patient's name begins with NUL.
    named = [patient or f"\0{ident}" for patient, ident in zip(patients, ids, strict=True)]
    return numbered(named, pseudonyms.patient)


def folder_name(path: str, level: int) -> str | None:
    """Name the folder of a path at a level, 1 the topmost; None where the path is not as deep."""
    parts = path.split("/")[:-1]
    return parts[level - 1] if level <= len(parts) else None


def found_in(path: str, pattern: str) -> str | None:
    """Find the group of a pattern in a path; None where it does not fit."""
    match = re.search(pattern, path)
    return match[1] if match else None
