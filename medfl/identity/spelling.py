"""Compare how ids and names are written: a spreadsheet writes one in several ways."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from unicodedata import category, decimal, normalize

UNKNOWN = (
    "NA", "N/A", "NaN", "NaT", "None", "null", "nil", "unknown", "unk", "undefined", "unspecified",
    "not available", "not applicable", "not known", "not recorded", "not specified", "not stated",
    "missing", "no id", "anonymous", "anonymized", "anonymised", "anon", "deidentified",
    "removed", "redacted", "TBD", "to be determined", "not given", "not provided", "not found",
    "none given", "no data", "unbekannt", "nicht bekannt", "k.A.", "inconnu", "inconnue",
    "desconocido", "sin datos", "sconosciuto", "onbekend",
)  # fmt: skip
"""Words by which tables and headers say that nobody knows; so do marks alone (``-``, ``?``)."""

_ABOUT = {"patient", "subject", "person", "site", "hospital", "id", "name", "number", "value"}
"""Words of what is unknown: ``unknown patient``, ``no patient id``, ``missing value``."""
_NO_VALUE = re.compile(
    r"#(value|ref|name|div/0|num|null|wert|bezug|zahl)[!?]|\\n|\((blank|empty|leer)\)", re.I
)
"""How spreadsheets and data bases say that a cell has no value."""

_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")  # 12,345, as spreadsheets show 12345
_WHOLE = re.compile(r"([+-]?[0-9]+)[.,]0*")  # 7.0, as spreadsheets write 7
_POWER = re.compile(r"([0-9]+)(?:[.,]([0-9]+))?e\+?([0-9]{1,2})")  # 1e5, as they write 100000
_ROUNDED = re.compile(r"[0-9][.,]([0-9]+)e\+?([0-9]{2})", re.I)


def spelling(text: str) -> str:
    """Give what is the same for all ways to write one id or name.

    These make no difference: upper and lower case; the form of Unicode (NFC, NFD, full-width
    digits); marks and blanks at the ends; which marks and blanks stand within, also none between a
    letter and a digit; zeros before a number; what spreadsheets make of numbers (``7.0``,
    ``1e5``). So ``P-007``, ``p_7`` and ``P 7`` are one.

    Letters that look like digits (O and 0, l and 1) differ: both occur in real ids, side by side.
    So do ``12-3`` and ``1-23``, ``7.1`` and ``7.10``, which may be a patient and a visit.
    """
    plain = normalize("NFKC", normalize("NFKC", text).casefold())
    plain = "".join(letter for letter in plain if category(letter) != "Cf")  # of no width
    plain = plain.strip(" \t'\"`=")  # ="007" keeps a spreadsheet from taking the zeros off
    runs = [(kind, "".join(run)) for kind, run in groupby(_number_of(plain) or plain, _kind)]
    parts: list[str] = []
    last, parted = "", False
    for place, (kind, run) in enumerate(runs):
        if kind == "" and not (place in (0, len(runs) - 1) and run in ("-", "+") and len(runs) > 1):
            parted = True
            continue
        parts += [" "] if parted and kind == last and parts else []
        parts.append(_bare(run) if kind == "digit" else run)
        last, parted = kind, False
    return "".join(parts) or plain


def is_unknown(text: str, words: Collection[str] | None = None) -> bool:
    """Whether a text means that nobody knows.

    Args:
        text: a cell, or an attribute's value.
        words: what means it, in any spelling; ``UNKNOWN`` and marks alone where None. An empty text
            always does.
    """
    if not text.strip():
        return True
    if words is not None:
        return spelling(text) in map(spelling, words)
    word = _plain_words(text)
    if not word or word in _UNKNOWN or _NO_VALUE.fullmatch(text.strip()):
        return True
    rest = " ".join(part for part in word.split() if part not in _ABOUT)
    return rest in _UNKNOWN or (rest == "no" != word)


def alike(texts: Iterable[str]) -> list[list[str]]:
    """List texts that are written in several ways, those of one together, by first occurrence."""
    families: dict[str, dict[str, None]] = defaultdict(dict)
    for text in dict.fromkeys(texts):
        if text:
            families[spelling(text)][text] = None
    return [list(family) for family in families.values() if len(family) > 1]


def joined(texts: Sequence[str], preferred: Collection[str] = ()) -> Mapping[str, str]:
    """Choose one spelling for each text: a preferred one, else the commonest, else the first."""
    counts = Counter(texts)
    chosen: dict[str, str] = {}
    for family in alike(texts):
        best = max(family, key=lambda text: (text in preferred, counts[text]))
        chosen |= dict.fromkeys(family, best)
    return chosen


def is_rounded(text: str) -> bool:
    """Whether a spreadsheet has rounded a long number, so that several may have become one."""
    match = _ROUNDED.fullmatch(text.strip())
    return match is not None and len(match[1]) < int(match[2])


def _number_of(text: str) -> str:
    """Write a whole number in digits; empty where the text is none."""
    if _GROUPED.fullmatch(text):
        return text.replace(",", "")
    if match := _WHOLE.fullmatch(text):
        return match[1]
    match = _POWER.fullmatch(text)
    if match is None:
        return ""
    digits, fraction, power = match[1], match[2] or "", int(match[3])
    kept = fraction.rstrip("0")
    return digits + kept.ljust(power, "0") if len(kept) <= power else ""


def _kind(letter: str) -> str:
    """Sort letters: digits, letters, symbols that mean something (+ < %); marks are empty."""
    if letter.isdecimal():
        return "digit"
    group = category(letter)[0]
    if group in "LMN":
        return "letter"
    return "symbol" if group == "S" and letter not in "+`^" else ""


def _bare(digits: str) -> str:
    return "".join(str(decimal(digit)) for digit in digits).lstrip("0") or "0"


def _plain_words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", normalize("NFKC", text).casefold()))


_UNKNOWN = frozenset(map(_plain_words, UNKNOWN))
