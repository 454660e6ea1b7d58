"""Choose what outputs call files and folders, by what is known of the people in them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Literal

from medfl.identity.identifiers import UID, Identifiers, printable, safe_path
from medfl.identity.pseudonyms import Pseudonyms

NameRule = Literal["compare", "hide", "show"]

_KNOWN_ENDING = (
    r"(?:\.(?:7z|avi|bak|bmp|bz2|csv|dat|db|dcm|dicom|docx?|gif|gz|hdr|html?|ima?|img|ini|inf|jp2"
    r"|jpe?g|json|log|md|mh[ad]|mov|mp4|nii|nrrd|np[yz]|odt|pbm|pdf|pgm|png|pnm|ppm|raw|rtf|svg"
    r"|tar|tiff?|tmp|tsv|txt|webp|xlsx?|xml|ya?ml|zip))"
)
COUNTED = re.compile(
    rf"(im|img|image|slice|frame|scan|file|series|se|i)[-_ ]?0*\d{{1,5}}{_KNOWN_ENDING}{{0,2}}"
    r"|images?|scans?|dicom|data|raw|train|val|test",
    re.I,
)
"""How scanners and exports name what they count."""

HIDDEN_NAME = re.compile(r"(?<![\w-])f-[0-9a-f]{16}(?![\w-])")

_ENDING = re.compile(_KNOWN_ENDING + "+$", re.I)
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])")
_YEAR = re.compile(r"(?:19|20)\d\d")
_MONTH = re.compile(r"(?<!\d)(?:(?:19|20)\d\d[-._]\d\d?|\d\d?[-._](?:19|20)\d\d)(?!\d)")
_NUMBERED = {"accession", "case", "cases", "exam", "examination", "patient", "patients", "study",
             "studies", "subject", "subjects", "visit"}  # fmt: skip


class FileNames:
    """Turn paths into what outputs may show: a part that may name a person becomes ``f-…``.

    Args:
        pseudonyms: the dataset's; ``medfl original`` finds the file again.
        identifiers: names and numbers of all people that headers and tables know.
        rule: ``compare`` shows a part that neither holds an identifier, a date or a long number
            nor a word that may be a name; ``hide`` shows only what scanners count, for data whose
            people nothing states; ``show`` shows all.
        known: words that are written out anyway: labels and sites.
        people: the patients, as the data call them.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        identifiers: Identifiers,
        rule: NameRule,
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
        counted = COUNTED.fullmatch(part) is not None
        if self.identifiers.in_text(part) or self._is_a_patient(part, counted):
            return True
        if self.rule == "hide":
            return not counted
        return not counted and not is_plain(part)

    def _is_a_patient(self, part: str, counted: bool) -> bool:
        low = part.casefold()
        number = re.sub(r"\D", "", part.split(".")[0])
        tokens = {low, *re.split(r"[\W_]+", low)}
        # 0007 may be patient 7; but IM0007 is so only where nothing else is known of people.
        if self.rule == "hide" or not counted:
            tokens |= {number, number.lstrip("0")}
        return not (tokens - {""}).isdisjoint(self.people)


def is_plain(part: str) -> bool:
    """Whether a part of a path is made of words that all files are called by, so names nobody.

    A word that no vocabulary knows may be a name, however short it is: ``WU_YU``, ``Dr. Huber``. A
    number of four digits and more that is no year may be one of a study or a patient, as may any
    that stands beside such a word: ``study 12``.
    """
    stem = _ENDING.sub("", unicodedata.normalize("NFC", part))
    if "^" in stem or UID.search(stem) or _MONTH.search(stem):
        return False
    if any(unicodedata.category(character).startswith("M") for character in stem):
        return False  # a script that writes its vowels so
    words = [word.casefold() for word in _WORD.findall(_CAMEL.sub(" ", stem))]
    numbers = [number for number in re.findall(r"\d+", stem) if not _YEAR.fullmatch(number)]
    if not all(map(_is_known, words)) or any(len(number) > 3 for number in numbers):
        return False
    initials = len(words) > 1 and all(len(word) == 1 for word in words) and stem.isupper()
    return not initials and not (numbers and not _NUMBERED.isdisjoint(words))


def plain_path(path: str | os.PathLike[str], known: Collection[str] = ()) -> str:
    """A path that a person wrote, as an error may repeat it: ``…`` stands for what may be a name.

    Args:
        path: such as that of a description's folder.
        known: parts that are shown anyway.
    """
    parts = Path(path).parts
    return str(Path(*(part if part in known or is_plain(part) else "…" for part in parts)))


def quoted(value: str) -> str:
    """A cell or label as an error may quote it: what may name a person is left out."""
    shown = re.fullmatch(r"-?\d{1,3}([.,]\d{1,3})?", value) or is_plain(value)
    return f"`{value}`" if shown else "`…`"


def _is_known(word: str) -> bool:
    if len(word) == 1:
        return word < "\u0250"  # Latin: elsewhere a letter may be a whole name
    return not {word, word.removesuffix("s"), word.removesuffix("es")}.isdisjoint(_vocabulary())


@cache
def _vocabulary() -> frozenset[str]:
    """Collect the words in the names of DICOM's attributes, and those by which files are kept."""
    from pydicom.datadict import DicomDictionary

    names = " ".join(entry[2] for entry in DicomDictionary.values())
    words = {word.casefold() for word in _WORD.findall(names) if len(word) > 2}
    words -= set(_PEOPLES.split())
    return frozenset(words | set(_WORDS.split()))


# These words of DICOM's dictionary are names of people, too.
_PEOPLES = """
art bell berg bin blue bond booth bridge can chamber christian close cook cross day dean elder fan
field finger fish frank gamma gate gates gene grace grant gray green grey hall hill home hope hunter
ion iris jaw judge key king lamb law leaf lee lens light long love low mac major mark marker marks
mason max may mean miller min moon noble north page pan park parks pass perry pierce pipe pope port
post power price prior pulse pupil rank ray read red rest rice rich ring road rod roll root rose sad
sands self sharp short shot sky small snow song star steady steel stern stock stone street strong
sun swift tan temple thin tile trim true van vivo wall ward water wave way white wide wild wilder
wind winter wise wolf wood world worth yellow young zoom zz zzz
"""

_WORDS = """
abdomen abnormal again age ankle ap arm axial backup bad baseline benign black bone brain breast
broken cancer cardiac carotid center centre cervical chest class clean clinic cm cohort control
converted copy coronal corrupt covid cr ct cut damaged dataset dcm deleted derived dermoscopy
desktop diagnosis dicomdir double ds duplicate dx dxa echo edema effusion elbow empty exam export
exported false faulty femur file files finding fixed flair fold folder followup foot fracture good
half hand head healthy heart hidden hip holdout hospital hz ignore import incomplete index infection
info kidney knee kv label labels lateral left leg lesion letter level list liver lock lumbar lung
malignant mammo mask masks maybe melanoma meta mg misc missing mm mr neck negative nevus new nifti
nii nm no nodule noise normal notes number of old one orig original other outer overview pa packed
pacs params part patient pelvis pixels pneumonia positive preview private pt public radiographs
readme reject rejected removed renamed report result results right rt sagittal sample scout sex
shoulder sick single site skull spine store study subject suffix table temp test text thorax three
thumbs tmp todo train trauma truncated tumor tumour twin two ultrasound uncertain unclear unknown
unsorted unsure untitled upload upper us val valid version view volume volumes well whole wrist
wrong xa xray yes
"""
