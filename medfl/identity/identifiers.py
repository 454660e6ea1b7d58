"""Find what in a file's attributes names a person, and keep it out of paths and texts.

The attributes are those of the basic profile of DICOM PS3.15 Annex E that people also write into
the names of files and folders.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING

from medfl.identity.pseudonyms import Pseudonyms
from medfl.identity.words import has_pattern

if TYPE_CHECKING:
    from pydicom import Dataset

_NUMBERS = {
    "PatientID",
    "OtherPatientIDs",
    "AccessionNumber",
    "StudyID",
    "AdmissionID",
    "RequestedProcedureID",
    "ScheduledProcedureStepID",
    "PerformedProcedureStepID",
    "MedicalRecordLocator",
    "InsurancePlanIdentification",
    "PatientTelephoneNumbers",
    "DeviceSerialNumber",
    "FillerOrderNumberImagingServiceRequest",
    "PlacerOrderNumberImagingServiceRequest",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ServiceEpisodeID",
}
_WORDS = {"PatientAddress", "InstitutionAddress", "InstitutionName", "MilitaryRank"}

SHORTEST = 3
UID = re.compile(r"(?<![\d.])\d+(?:\.\d+){4,}(?![\d])")
_SPLIT = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa"})


@dataclass(frozen=True)
class Identifiers:
    """What names the people of a tree of files; never to be written.

    Attributes:
        words: parts of names, folded (no accents, no capitals).
        numbers: patient, accession and other numbers, folded, letters and digits only.
        uids: unique identifiers of studies, series and instances.
    """

    words: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    uids: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Identifiers({len(self.words)} words, {len(self.numbers)} numbers)"

    @classmethod
    def union(cls, parts: Iterable[Identifiers]) -> Identifiers:
        """Join several into one."""
        parts = list(parts)
        return cls(
            frozenset().union(*(part.words for part in parts)),
            frozenset().union(*(part.numbers for part in parts)),
            frozenset().union(*(part.uids for part in parts)),
        )

    @cached_property
    def _long(self) -> frozenset[str]:
        return frozenset(word for word in self.words | self.numbers if _is_long(word))

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._long), default=0)

    def in_text(self, text: str) -> bool:
        """Whether the text holds an identifier, a date, or a number of six digits outside a UID."""
        found = UID.findall(text)
        if any(uid in self.uids for uid in found):
            return True
        if has_pattern(UID.sub(" ", text)):
            return True
        for folded in _foldings(text):
            # The T of T1w is no initial: a lone letter must stand by itself.
            tokens = {one for one in _SPLIT.findall(folded) if len(one) > 1}
            tokens.update(re.findall(r"[^\W_]+", folded))
            if not tokens.isdisjoint(self.words) or not tokens.isdisjoint(self.numbers):
                return True
            compact = _compact(folded)
            # Every substring is looked up, which is as fast with a million identifiers as with one.
            for start in range(len(compact)):
                for end in range(start + 1, min(len(compact), start + self._longest) + 1):
                    if compact[start:end] in self._long:
                        return True
        return False


def identifiers_in(header: Dataset, others: Iterable[str] = ()) -> Identifiers:
    """Collect the identifiers in one file's attributes, also those inside sequences.

    ``others`` are texts of which nobody knows what in them names a person.
    """
    words: set[str] = set()
    numbers: set[str] = set()
    uids: set[str] = set()

    def visit(dataset: Dataset) -> None:
        for tag in dataset.keys():  # noqa: SIM118 (values would all be parsed)
            kind = _dictionary(int(tag))
            if not kind:
                continue
            value = dataset[tag].value
            if not value:
                continue
            if kind == "SQ":
                for item in value:
                    visit(item)
            elif kind == "words":
                for text in _texts(value):
                    words.update(_long_words(text))
            elif kind == "names":
                for text in _texts(value):
                    words.update(_name_words(text))
            elif kind == "numbers":
                for text in _texts(value):
                    numbers.update(_number_forms(text))
            else:
                uids.update(_texts(value))

    visit(header)
    for text in others:
        for word in text.split():
            words.update(_name_words(word) if "^" in word else _long_words(word))
            numbers.update(_number_forms(word))
    return Identifiers(frozenset(words), frozenset(numbers), frozenset(uids))


@cache
def _dictionary(tag: int) -> str:
    """Say what an attribute's value is to us: names, words, numbers, uids, SQ, or nothing."""
    from pydicom.datadict import dictionary_keyword, dictionary_VR

    try:
        keyword, vr = dictionary_keyword(tag), dictionary_VR(tag)
    except KeyError:  # a private or unknown attribute may mean anything
        return ""
    if vr == "SQ":
        return "" if keyword in _IMAGE_SEQUENCES else "SQ"
    if vr == "PN":
        return "names"
    if keyword in _WORDS:
        return "words"
    if keyword in _NUMBERS:
        return "numbers"
    return "uids" if vr == "UI" and keyword.endswith("InstanceUID") else ""


_IMAGE_SEQUENCES = {
    "PerFrameFunctionalGroupsSequence",
    "SharedFunctionalGroupsSequence",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "SequenceOfUltrasoundRegions",
}  # these are about the image, not about people, and long


def safe_path(
    path: PurePath | str,
    identifiers: Identifiers,
    pseudonyms: Pseudonyms,
    hides: Callable[[str], bool] | None = None,
) -> str:
    """Give a path, from the root of its data and with ``/``, as outputs may show it.

    A component that holds an identifier, a date or a long number becomes its pseudonym
    (``f-…``); others are repeated. ``hides`` decides on components instead of ``identifiers``.
    """
    parts = list(PurePath(path).parts)
    hides = hides or identifiers.in_text
    hidden = [hides(part) for part in parts]
    for first in range(len(parts) - 1):  # a date may be spread: 2021/03/15, 2021/0315, 202103/15
        for last in range(first + 2, min(first + 3, len(parts)) + 1):
            run = parts[first:last]
            if all(part.isdigit() for part in run) and has_pattern("/".join(run)):
                hidden[first:last] = [True] * len(run)
    shown = (pseudonyms.file(p) if h else p for p, h in zip(parts, hidden, strict=True))
    return "/".join(printable(part) for part in shown)


def of_patients(patients: Iterable[str]) -> Identifiers:
    """The identifiers of people whose names or numbers stand in a table."""
    words: set[str] = set()
    numbers: set[str] = set()
    for patient in patients:
        numbers.update(_number_forms(patient))
        # The letters before a number are the same for all: P01, US-0012.
        numbered = any(character.isdigit() for character in patient)
        words.update(_long_words(patient) if numbered else _name_words(patient))
    return Identifiers(frozenset(words), frozenset(numbers - words))


def printable(name: str) -> str:
    """Take out of a name what a terminal or a table cannot show: control and undecodable bytes."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)


def _texts(value: object) -> list[str]:
    several = isinstance(value, list | tuple) or hasattr(value, "append")
    return [str(one) for one in value] if several else [str(value)]  # type: ignore[attr-defined]


def _long_words(text: str) -> set[str]:
    words = {word for folded in _foldings(text) for word in _SPLIT.findall(folded)}
    return {word for word in words if len(word) >= SHORTEST or _is_ideographic(word)}


def _name_words(text: str) -> set[str]:
    """The words of a name, in DICOM's form or not: those of two letters, too, and both joined.

    A lone letter counts where it is all of a family or given name, not where it is an initial.
    """
    found = _long_words(text)
    for spelling in text.split("="):
        parts = spelling.split("^") if "^" in spelling else re.split(r"[\s,_]+", spelling.strip())
        for folded in map(_foldings, parts[:3]):
            found |= {word for one in folded for word in _SPLIT.findall(one) if len(word) == 2}
        own = [{_compact(one) for one in _foldings(part)} - {""} for part in parts[:2]]
        found.update(*own)
        if len(own) == 2:
            found |= {a + b for one, other in (own, own[::-1]) for a in one for b in other}
    return found


def _number_forms(text: str) -> set[str]:
    forms = set()
    for folded in _foldings(text):
        compact = _compact(folded)
        forms |= {compact, compact.lstrip("0")}
    return {form for form in forms if len(form) >= SHORTEST}


def _foldings(text: str) -> set[str]:
    """Spell a text without accents and capitals: Müller is muller and mueller; JohnDoe john doe."""
    text = _CAMEL.sub(" ", unicodedata.normalize("NFC", text))
    low = text.casefold().replace("\u00ad", "")
    spelt = [low, unicodedata.normalize("NFC", text.lower()).translate(_GERMAN)]
    return {_without_accents(one) for one in spelt}


def _without_accents(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()


def _compact(folded: str) -> str:
    return "".join(character for character in folded if character.isalnum())


def _is_ideographic(word: str) -> bool:
    return all(ord(character) >= 0x2E80 for character in word)


def _is_long(word: str) -> bool:
    """Whether a word is so long that it is meant wherever it stands, also inside another word."""
    return len(word) > SHORTEST or _is_ideographic(word)
