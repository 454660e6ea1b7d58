"""Who a sample belongs to, and what people and files are called in every output."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from medfl.data.privacy import Pseudonyms
from medfl.errors import MedflError

NO_PATIENTS = (
    "NO PATIENTS: nothing says which images are of one patient, so each counts as a patient of its "
    "own. Where some share one, test results come out too good: say who is whose by `patient`"
)
COUNTED = re.compile(
    r"(im|img|image|slice|frame|scan|file|series|se|i)[-_ ]?0*\d{1,5}(\.nii\.gz|\.[a-z]{2,5})?"
    r"|images?|scans?|dicom|data|raw|train|val|test",
    re.I,
)
"""How scanners and exports name what they count; whatever else a file is called may be a name."""

PERSONAL = re.compile(
    r"Patient(?!Position|Orientation|Sex$|Age$|Size$|Weight$)|PersonName|BirthDate|Physician|"
    r"Accession|OtherPatient|Operator|Telephone|Address|UID$|Date$|Time$"
)


def numbered(names: Sequence[str], pseudonym: Callable[[str], str]) -> list[str]:
    """A pseudonym for each name, numbered by first appearance: ``p000001-3f2a9c41d7b05e86``.

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
    return numbered(named, pseudonyms.patient)


def safe_name(
    path: str, pseudonyms: Pseudonyms, known: Collection[str], people: Collection[str]
) -> str:
    """A path as it may be shown: parts that may name a person become pseudonyms (``f-…``).

    Args:
        path: from the data's folder.
        pseudonyms: of the dataset; ``find_original`` finds the file again.
        known: words that are written out anyway: labels and sites.
        people: the patients.
    """

    def shown(part: str) -> bool:
        number = re.sub(r"\D", "", part.split(".")[0])
        named = part in people or number in people or number.lstrip("0") in people
        return part in known or (COUNTED.fullmatch(part) is not None and not named)

    return "/".join(part if shown(part) else pseudonyms.file(part) for part in path.split("/"))


def refuse_personal(keyword: str, where: str) -> None:
    """Refuse an attribute that names a person where it would be written out as it is."""
    if PERSONAL.search(keyword):
        raise MedflError(
            f"{where}: `{keyword}` can identify a person, and would be written into the store: "
            "choose another attribute."
        )


def folder_name(path: str, level: int) -> str | None:
    """The folder of a path at a level, 1 the topmost; None where it lies higher."""
    parts = path.split("/")[:-1]
    return parts[level - 1] if level <= len(parts) else None


def found_in(path: str, pattern: str) -> str | None:
    """The group of a pattern, sought in a path."""
    match = re.search(pattern, path)
    return match[1] if match else None
