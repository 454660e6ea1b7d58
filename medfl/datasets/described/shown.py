"""What is written out as it is, labels, sites and attributes, must name nobody."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from medfl.errors import MedflError, naming
from medfl.identity.attributes import can_identify
from medfl.identity.file_names import is_plain
from medfl.identity.words import has_pattern
from medfl.imaging.dicom import attribute_tag
from medfl.imaging.source_size import COLUMN
from medfl.store.table import COLUMNS

MANY = 20
"""Patients from which on a column with as many values as patients is suspect."""

_NESTED = re.compile(r"[.>/\[\]]|\)\s*\(")  # RequestAttributesSequence[0].PatientName
_COLUMNS = re.compile(
    r"(?:pat(?:ient)?s?|case|subject)?(?:full|last|first|family|given|sur|birth)name|"
    r"pat(?:ient)?s?(?:name|id|number|no|nr)?|pid|mrn|ssn|dob|(?:date)?(?:of)?birth(?:date|day)?|"
    r"dateofbirth|accession(?:id|number|no|nr)?|address|telephone|phone|email|nachname|vorname|"
    r"geburtsdatum|patientenname|patientennummer|nom|prenom|apellidos?|cognome"
)
_MEASURES = re.compile(r"(patients?)?(age|alter|weight|height|size|bmi)(years|kg|cm)?")


def refuse_personal(name: str, where: str) -> None:
    """Refuse an attribute that can identify a person where it would be written out as it is.

    Args:
        name: its keyword or tag, in any spelling; one within a sequence is refused, too.
        where: what asks for it, for errors.

    Raises:
        MedflError: it can, or is no attribute.
    """
    parts = [part for part in _NESTED.split(name) if not re.fullmatch(r"\s*\d{0,3}", part)]
    with naming(where):
        if len(parts) < 2 and not can_identify(attribute_tag(name)):
            return
    raise MedflError(
        f"{where}: `{name}` can identify a person, and would be written into the store: "
        "choose another attribute."
    )


def is_called_patient(name: str) -> bool:
    """Whether a column is called like a patient's number: ``PatientID``, ``pat_no``, ``MRN``."""
    return re.fullmatch(r"(pat(ient)?s?(id|number|no|nr)?|pid|mrn)", _bare(name)) is not None


def refuse_column(name: str, patient: str, where: str) -> None:
    """Refuse a table's column that is the ``patient``'s, or is called like what names one."""
    if name == patient or _COLUMNS.fullmatch(_bare(name)):
        raise MedflError(
            f"{where}: the column `{name}` names patients, and would be written into the store: "
            "choose another column."
        )


def refuse_patients(
    key: str,
    values: Sequence[Sequence[str]],
    patients: Sequence[str],
    where: str,
    named: Callable[[str, int], bool] = lambda value, row: False,
) -> None:
    """Refuse labels or sites that name the only patient who has them, as folders and cells may.

    A word that several patients share names none of them.

    Args:
        key: what the values are to be, for the error.
        values: those of each sample.
        patients: whose each sample is, as the data call them; empty where nobody knows.
        where: what says where the values stand, for the error.
        named: whether a value holds a name or number in the header of a sample, by row.

    Raises:
        MedflError: without any of the values.
    """
    whose = [patient.casefold() or f"\0{row}" for row, patient in enumerate(patients)]
    who: dict[str, dict[str, int]] = defaultdict(dict)
    for row, words in enumerate(values):
        for word in filter(None, words):
            who[word][whose[row]] = row
    lone = {word: next(iter(of.values())) for word, of in who.items() if len(of) == 1}
    everyone = {_bare(patient) for patient in patients if patient}
    shared = {_bare(word) for word in who.keys() - lone.keys()}
    same = sum(_bare(word) == _bare(patients[row]) for word, row in lone.items())
    odd = sum(
        named(word, row)
        or has_pattern(word)
        or "^" in word
        or (_is_telling(word) and _bare(word) in everyone)
        # Cells that stand in each other's columns: the patient is what others have for a label.
        or (_is_telling(patients[row]) and _bare(patients[row]) in shared)
        for word, row in lone.items()
    )
    if same > 1 and same * 2 > len(who):
        odd = max(odd, same)
    if odd:
        raise MedflError(
            f"{where}: {odd:,} of the {len(who):,} values that are to be the {key} hold a name or "
            f"number of a patient, and would be written into the store: say by `{key}:` where else "
            "they stand, or rename them."
        )
    if all(patients) and len(lone) == len(who) > max(2, len(everyone)):
        raise MedflError(
            f"{where}: the {key} have {len(who):,} different values, each of one patient alone, "
            f"and there are {len(everyone):,} patients: look whether the columns of patients and "
            f"of {key} are exchanged."
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
        refuse_column(name, "", where)
        if name in (*COLUMNS, COLUMN):  # it would stand in the place of that column
            raise MedflError(
                f"{where}: every store has a column `{name}` already: give it another name."
            )
        values = [one.get(name, "") for one in attributes]
        stated = [(v, p) for v, p in zip(values, patients, strict=True) if v]
        dated = sum(has_pattern(value) for value, _ in stated)
        if dated:
            raise MedflError(
                f"{where}: `{name}` holds a date, or a number of six digits and more, in {dated:,} "
                "samples, and would be written into the store: leave it out, or write it coarser "
                "(an age, a year, a range)."
            )
        everyone = {_bare(patient) for patient in patients if patient}
        own = sum(_bare(value) == _bare(patient) for value, patient in stated)
        others = sum(_is_telling(value) and _bare(value) in everyone for value, _ in stated)
        if (own > 1 and own * 2 > len(stated)) or others:
            raise MedflError(
                f"{where}: `{name}` is a patient in {max(own, others):,} samples, and would be "
                "written into the store: leave it out."
            )
        exchanged = _exchanged(name, stated)
        if exchanged:
            raise MedflError(
                f"{where}: `{name}` holds words where numbers are usual in {exchanged:,} samples: "
                "look whether cells stand in each other's columns."
            )
        people, distinct = len(everyone), {value for value, _ in stated}
        odd = [value for value in distinct if not _is_measured(value)]
        if 2 < people < len(odd) and sum(map(is_plain, odd)) * 2 < len(odd):
            raise MedflError(
                f"{where}: `{name}` has {len(distinct):,} different values for {people:,} "
                "patients, and may name them: leave it out."
            )
        if people >= MANY and len(distinct) >= people and odd:
            warnings.append(
                f"`{name}` has as many different values as there are patients: it may identify "
                "them, and is written into the store; leave it out of the attributes if it does"
            )
    return warnings


def _exchanged(name: str, stated: Sequence[tuple[str, str]]) -> int:
    """How many samples have the patient in this column, and a measure for the patient.

    Args:
        name: the column's.
        stated: its values with the patients.
    """
    kinds = [(_is_measured(value), _is_measured(patient)) for value, patient in stated]
    odd, usual = kinds.count((False, True)), kinds.count((True, False))
    if _MEASURES.fullmatch(_bare(name)):
        return sum(not _is_measured(value) and not is_plain(value) for value, _ in stated)
    return odd if odd < usual else 0


def _is_measured(value: str) -> bool:
    """Whether a value is empty, or a number with a fraction or up to three digits: a measure."""
    return re.fullmatch(r"|-?\d{1,3}|-?\d*[.,]\d+(e-?\d+)?", value, re.I) is not None


def _bare(text: str) -> str:
    """A text without case, spaces, marks and the zeros before a number."""
    bare = re.sub(r"[\W_]+", "", text.casefold())
    return bare.lstrip("0") or bare[:1]


def _is_telling(text: str) -> bool:
    """Whether a text is a patient's and no number that labels and ages may be, too."""
    bare = _bare(text)
    return len(bare) > 4 or (len(bare) > 1 and not bare.isdigit())
