"""Choose what outputs call files and folders, by what is known of the people in them."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Literal

from medfl.identity.identifiers import Identifiers, printable, safe_path
from medfl.identity.pseudonyms import Pseudonyms

Rule = Literal["compare", "hide", "show"]

COUNTED = re.compile(
    r"(im|img|image|slice|frame|scan|file|series|se|i)[-_ ]?0*\d{1,5}(\.nii\.gz|\.[a-z]{2,5})?"
    r"|images?|scans?|dicom|data|raw|train|val|test",
    re.I,
)
"""How scanners and exports name what they count."""

HIDDEN_NAME = re.compile(r"(?<![\w-])f-[0-9a-f]{16}(?![\w-])")

_ENDING = re.compile(r"(\.nii)?\.[A-Za-z]{1,8}$")
_LETTERS = re.compile(r"[^\W\d_]{3,}")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_JOINED = re.compile(r"[^\W\d_]{3,}[_,^.]+ *[^\W\d_]{3,}")


class FileNames:
    """Turn paths into what outputs may show: a part that may name a person becomes ``f-…``.

    Args:
        pseudonyms: of the dataset; ``medfl original`` finds the file again.
        identifiers: of all people that headers and tables know.
        rule: ``compare`` shows a part that neither holds an identifier, a date or a long number
            nor is built like a name; ``hide`` shows only what scanners count, for data whose
            people nothing states; ``show`` shows all.
        known: words that are written out anyway: labels and sites.
        people: the patients, as the data call them.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        identifiers: Identifiers,
        rule: Rule,
        known: Collection[str] = (),
        people: Collection[str] = (),
    ) -> None:
        self.pseudonyms, self.identifiers, self.rule = pseudonyms, identifiers, rule
        self.known = set(known)
        self.people = {one.casefold() for one in people if one}

    def __call__(self, path: str) -> str:
        """A path with ``/``."""
        if self.rule == "show":
            return "/".join(printable(part) for part in path.split("/"))
        return safe_path(path, self.identifiers, self.pseudonyms, self._hides)

    def _hides(self, part: str) -> bool:
        if part in self.known:
            return False
        if self.identifiers.in_text(part) or self._is_a_patient(part):
            return True
        if self.rule == "hide":
            return COUNTED.fullmatch(part) is None
        return looks_like_name(part)

    def _is_a_patient(self, part: str) -> bool:
        low = part.casefold()
        number = re.sub(r"\D", "", part.split(".")[0])
        tokens = {low, *re.split(r"[\W_]+", low)}
        if self.rule == "hide":  # since nothing else is known, 0007 may be patient 7
            tokens |= {number, number.lstrip("0")}
        return not (tokens - {""}).isdisjoint(self.people)


def looks_like_name(part: str) -> bool:
    """Whether a part has two words that no vocabulary knows (``DOE_JANE``), or one and a year.

    A lone unknown word may be anything: ``broken``. Unknown words in small letters count only where
    they are joined as names are: ``doe_jane``.
    """
    stem = _ENDING.sub("", part)
    if "^" in stem:
        return True
    unknown = [word for word in _LETTERS.findall(_CAMEL.sub(" ", stem)) if not _is_known(word)]
    if unknown and _YEAR.search(stem):
        return True
    if len(unknown) < 2:
        return False
    return sum(word[0].isupper() for word in unknown) >= 2 or bool(_JOINED.search(stem))


def _is_known(word: str) -> bool:
    low = word.casefold()
    return not {low, low.removesuffix("s"), low.removesuffix("es")}.isdisjoint(_vocabulary())


@cache
def _vocabulary() -> frozenset[str]:
    """Collect the words in the names of DICOM's attributes, and those by which files are kept."""
    from pydicom.datadict import DicomDictionary

    names = " ".join(entry[2] for entry in DicomDictionary.values())
    words = {word.casefold() for word in _LETTERS.findall(names)} - _PEOPLES
    return frozenset(words | set(_WORDS.split()))


# These words of DICOM's dictionary are people's names, too.
_PEOPLES = {"bolus", "cook", "day", "gray", "grey", "hall", "may", "page", "parks", "rose", "ward",
            "winter", "young", "mark", "bell", "frank", "hill", "berg", "stern", "marks", "green",
            "white", "long", "short", "field", "power"}  # fmt: skip

_WORDS = """
abdomen ankle ap arm axial backup baseline bad bone brain breast broken carotid cardiac cervical
chest class clean clinic coronal copy cohort control corrupt cut damaged dataset dcm deleted derived
dermoscopy double duplicate echo elbow empty export exported faulty femur files fixed flair folder
followup foot good hand head healthy heart hip hospital incomplete ignore import index info kidney
knee label labels lateral left leg letter list liver lung lumbar mammo meta misc missing neck new
normal notes old orig original other outer pacs packed part patient pelvis pixels preview private
public radiographs readme reject rejected removed renamed report right sagittal scout shoulder sick
site skull spine study subject suffix temp thorax tmp todo train trauma truncated unknown
unsorted untitled upload valid well wrist wrong xray ultrasound dxa nii nifti converted
version center centre north south east west
"""
