"""Dates and long numbers, which are found in any text by their form alone."""

from __future__ import annotations

import re

_LONG_NUMBER = re.compile(r"\d{6,}")
_DAY, _MONTH, _GAP = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"[-./_ ]"
_NAMED = (  # months in English, German, French, Spanish, Italian, Dutch
    r"(?:jan|feb|f[eé]v|mar|m[äa]r|maa|apr|avr|abr|ma[iyg]|mei|jun|juin|giu|jul|juil|lug|aug|ao[uû]|ago"
    r"|sep|set|o[ck]t|ott|nov|de[cz]|d[eé]c|dic|ene|gen)[^\W\d_]{0,7}"
)
_DATE = re.compile(
    rf"(?<!\d)(?:(?:19|20)\d\d{_GAP}?{_MONTH}{_GAP}{_DAY}"
    rf"|(?:19|20)\d\d{_GAP}?(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    rf"|{_DAY}{_GAP}{_MONTH}{_GAP}(?:(?:19|20)\d\d|\d\d)"
    rf"|{_MONTH}{_GAP}{_DAY}{_GAP}(?:(?:19|20)\d\d|\d\d)"
    rf"|\d\d{_GAP}{_MONTH}{_GAP}{_DAY}"
    rf"|{_DAY}{_GAP}{{0,2}}{_NAMED}{_GAP}{{0,2}}(?:(?:19|20)\d\d|\d\d)"
    rf"|(?:19|20)\d\d{_GAP}{{0,2}}{_NAMED}{_GAP}{{0,2}}{_DAY})(?!\d)"
    rf"|(?<![^\W\d_]){_NAMED}{_GAP}{{0,2}}{_DAY}[-./_ ,]{{1,2}}(?:19|20)\d\d(?!\d)",
    re.IGNORECASE,
)


def has_pattern(text: str) -> bool:
    """Whether a text holds a date, or a number of six digits and more."""
    return bool(_DATE.search(text) or _LONG_NUMBER.search(text))
