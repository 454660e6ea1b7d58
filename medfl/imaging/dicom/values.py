"""The values of attributes, which are believed only where they are of their kind (VR).

A damaged length makes one value swallow the elements that follow, and with them a patient's name.
The kinds are those of DICOM PS3.5, table 6.2-1.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from medfl.config import did_you_mean
from medfl.errors import MedflError, Reason
from medfl.identity import quoted

if TYPE_CHECKING:
    from pydicom import Dataset

_LINE = r"[^\x00-\x1a\x1c-\x1f\x7f-\x9f]"
_PARAGRAPHS = r"[^\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]*"
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
_TEXTS = {
    "AE": rf"{_LINE}{{,16}}",
    "AS": r"\d{3}[DWMY]",
    "CS": r"[A-Za-z0-9_ ]{,16}",  # many files write small letters
    "DA": r"\d{8}|\d{4}\.\d\d\.\d\d",
    "DS": _NUMBER,
    "DT": r"[\d.+-]{4,26}",
    "IS": r"[-+]?\d{1,12}",
    "LO": rf"{_LINE}{{,64}}",
    "LT": _PARAGRAPHS,
    "PN": rf"{_LINE}{{,194}}",  # three spellings of 64 characters
    "SH": rf"{_LINE}{{,64}}",  # 16 by the standard, which names of stations exceed
    "ST": _PARAGRAPHS,
    "TM": r"[\d.:]{2,16}",
    "UC": rf"{_LINE}*",
    "UI": r"[0-9.]{1,64}",
    "UR": rf"{_LINE}*",
    "UT": _PARAGRAPHS,
}
_FORMS = _TEXTS | dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"), _NUMBER)
# What a damaged tag, or a mistake of an export, puts where a short text belongs.
_FOREIGN = {"DA", "DT", "LT", "PN", "ST", "TM", "UI", "UT"}

_TAG = re.compile(r"\(?\s*(?:0x)?([0-9a-f]{4})[\s,:;|-]*(?:0x)?([0-9a-f]{4})\s*\)?", re.IGNORECASE)
_EXPLICIT = re.compile(
    rb"(?:[\x02-\x7e]\x00..|\x00[\x02-\x7e]..)(?:A[EST]|CS|D[AST]|F[DL]|IS|L[OT]|O[BDFLVW]|PN|"
    rb"S[HLQSTV]|TM|U[CILNRSTV])..",
    re.DOTALL,
)


def attribute(header: Dataset, name: str) -> str:
    r"""Give the value of one attribute as text; empty where the file lacks it.

    Args:
        header: as ``read_header`` gives it.
        name: a keyword (``PatientSex``) or a tag (``(0010,0040)``, ``00100040``).

    Several values are joined by ``\``.

    Raises:
        MedflError: a name that is no attribute.
        Reason: the value is not of the attribute's kind, so the header is damaged.
    """
    tag = attribute_tag(name)
    if tag not in header:
        return ""
    element = header[tag]
    value: Any = element.value
    parts = [_text(one) for one in value] if element.VM > 1 else [_text(value)]
    if not all(_is_of_kind(tag, element.VR, part) for part in parts):
        raise Reason(f"its value of {name} is not of the kind that it must be")
    return "\\".join(parts)


def attribute_tag(name: str) -> int:
    """The tag that a keyword, in any case, or a written tag means; else a ``MedflError``."""
    written = _TAG.fullmatch(name.strip())
    if written:
        return int(written[1] + written[2], 16)
    tags = _tags()
    tag = tags.get(name.strip().casefold())
    if tag is None:
        from pydicom.datadict import dictionary_keyword

        hint = did_you_mean(name, map(dictionary_keyword, tags.values()))
        if len(hint) > 200:  # no keyword is near, and thousands would be listed
            hint = '; give a keyword such as "StudyDescription" or a tag such as "(0008,1030)".'
            raise MedflError(f"{quoted(name)} is no DICOM attribute{hint}")
        raise MedflError(f"`{name}` is no DICOM attribute{hint}")
    return tag


def kind(header: Dataset) -> str:
    """Say what sort of object a file is, in the standard's words."""
    from pydicom.uid import UID, UID_dictionary

    stated = str(header.get("SOPClassUID") or "").strip(" \0")
    if not stated:
        return "no SOP class"
    return UID(stated).name if stated in UID_dictionary else "an unknown SOP class"


def swallowed(header: Dataset) -> dict[str, str]:
    """Find texts that hold whole elements: a damaged length took in what follows.

    Returns:
        What stands in each of them, by keyword or tag, without the bytes that are no text.
    """
    return {
        name: " ".join(
            re.findall(r"[^\x00-\x1f\x7f-\x9f\ufffd]+", value.decode("utf-8", "replace"))
        )
        for name, value in _raw_texts(header)
        if _holds_element(value)
    }


def _raw_texts(header: Dataset) -> Iterator[tuple[str, bytes]]:
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    for tag in header.keys():  # noqa: SIM118 (values would all be parsed)
        raw: Any = header.get_item(tag)
        value = raw.value
        if isinstance(value, str):  # it was parsed while the file was read
            value = value.encode("utf-8", "surrogateescape")
        if not isinstance(value, bytes) or b"\0" not in value.rstrip(b" \0"):
            continue
        try:
            vr = raw.VR or dictionary_VR(tag)
        except KeyError:
            continue
        if vr in _TEXTS:
            yield keyword_for_tag(tag) or str(tag), value


def _holds_element(value: bytes) -> bool:
    """Whether the bytes of a text hold the head of an element, with or without its VR."""
    from pydicom.datadict import dictionary_has_tag

    if _EXPLICIT.search(value):
        return True
    for start in range(len(value) - 8):
        group, element, length = struct.unpack_from("<HHL", value, start)
        fits = 0 < length <= len(value) - start - 8
        if fits and element and dictionary_has_tag(group << 16 | element):
            return True
    return False


def _is_of_kind(tag: int, stated: str, text: str) -> bool:
    """Whether a text is what an attribute of the dictionary, or of the ``stated`` VR, may hold."""
    from pydicom.datadict import dictionary_VR

    try:
        kinds = dictionary_VR(tag).split(" or ")
    except KeyError:
        kinds = [stated]
    if stated in _FOREIGN and stated not in kinds:
        return False
    return not text or any(
        kind in _FORMS and re.fullmatch(_FORMS[kind], text, re.DOTALL) for kind in kinds
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip(" \t\r\n\0")


@cache
def _tags() -> dict[str, int]:
    """All tags by keyword in small letters."""
    from pydicom.datadict import DicomDictionary

    return {entry[4].casefold(): tag for tag, entry in DicomDictionary.items() if entry[4]}
