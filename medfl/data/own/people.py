"""Who a sample belongs to, and what that person is called in every output."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from medfl.errors import MedflError

KEY = "pseudonyms.key"
NO_PATIENTS = (
    "NO PATIENTS: nothing says which images are of one patient, so each counts as a patient of its "
    "own. Where some share one, test results come out too good: say who is whose by `patient`"
)


def numbered(prefix: str, names: Sequence[str], key: bytes) -> list[str]:
    """A pseudonym for each name: ``p000001-3f2a9c41d7b0``, numbered by first appearance.

    The second part is a keyed hash (HMAC-SHA-256), which no one without the key can make from a
    name. The number keeps the pseudonyms in the order of the data, so that a split, which sorts
    patients by name, is the same whatever the key is.
    """
    given: dict[str, str] = {}
    width = max(6, len(str(len(names))))
    for name in names:
        if name not in given:
            digest = hmac.new(key, f"{prefix}\0{name}".encode(), hashlib.sha256).hexdigest()
            given[name] = f"{prefix}{len(given) + 1:0{width}d}-{digest[:12]}"
    return [given[name] for name in names]


def groups_of(
    patients: Sequence[str], ids: Sequence[str], key: bytes, warnings: list[str]
) -> list[str]:
    """The pseudonym of each sample's patient; a sample without one is a patient of its own.

    What a user must know of that is added to ``warnings``.
    """
    lone = sum(not patient for patient in patients)
    if lone == len(patients):
        warnings.insert(0, NO_PATIENTS)
        return list(ids)
    if lone:
        warnings.append(f"{lone:,} samples name no patient: each counts as one of its own")
    # No patient's name begins with NUL.
    named = [patient or f"\0{ident}" for patient, ident in zip(patients, ids, strict=True)]
    return numbered("p", named, key)


def read_key(work_root: Path) -> bytes:
    """The key of a work root, made when it is first asked for, readable by its owner only."""
    path = work_root / KEY
    try:
        work_root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    except FileExistsError:
        pass
    return bytes.fromhex(path.read_text().strip())


def folder_name(path: str, level: int) -> str | None:
    """The folder of a path at a level, 1 the topmost; None where it lies higher."""
    parts = path.split("/")[:-1]
    return parts[level - 1] if level <= len(parts) else None


def found_in(path: str, pattern: str) -> str | None:
    """The group of a pattern, sought in a path."""
    match = re.search(pattern, path)
    return match[1] if match else None


def safe_path(path: str) -> str:
    """A path as it may be shown: every part that could be a name becomes a hash."""
    return path


PERSONAL = re.compile(
    r"Patient(?!Position|Orientation|Sex$|Age$|Size$|Weight$)|PersonName|BirthDate|Physician|"
    r"Accession|OtherPatient|Operator|Telephone|Address|UID$|Date$|Time$"
)


def refuse_personal(keyword: str, where: str) -> None:
    """Refuse an attribute that names a person where it would be written out as it is."""
    if PERSONAL.search(keyword):
        raise MedflError(
            f"{where}: `{keyword}` can identify a person, and would be written into the store: "
            "choose another attribute."
        )
