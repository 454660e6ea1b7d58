"""Words of other libraries, without the values that they quote."""

from __future__ import annotations

import re

HIDDEN = "…"

_QUOTED = re.compile(r"""b?'[^']*'|b?"[^"]*\"""")
_LONG_NUMBER = re.compile(r"\d{6,}")
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-./_ ]?(?:0?[1-9]|1[0-2])[-./_ ]?(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-./_ ](?:0?[1-9]|1[0-2])[-./_ ](?:19|20)?\d\d"
    r"|(?:0?[1-9]|1[0-2])[-./_ ](?:0?[1-9]|[12]\d|3[01])[-./_ ](?:19|20)\d\d)(?!\d)"
)
_CLASSES = {"Dataset", "FileDataset", "DataElement", "RawDataElement"}


def error_words(error: BaseException) -> str:
    """What an exception says, on one line, without the values of the file that it may quote.

    pydicom's messages can hold a patient's name (``could not convert string to float: 'Doe'``):
    quoted text is kept only where it is a DICOM keyword, and long numbers and dates are hidden.
    """
    text = " ".join(str(error).split())
    text = _QUOTED.sub(_keyword_or_hidden, text)
    text = hide_patterns(text)
    return text.rstrip(".") or type(error).__name__


def hide_patterns(text: str) -> str:
    """Dates, and numbers of six digits and more, become ``…``."""
    return _LONG_NUMBER.sub(HIDDEN, _DATE.sub(HIDDEN, text))


def has_pattern(text: str) -> bool:
    """A date, or a number of six digits and more."""
    return bool(_DATE.search(text) or _LONG_NUMBER.search(text))


def _keyword_or_hidden(match: re.Match[str]) -> str:
    from pydicom.datadict import tag_for_keyword

    word = match.group().strip("b'\"")
    kept = word in _CLASSES or tag_for_keyword(word) is not None
    return f"'{word}'" if kept else f"'{HIDDEN}'"
