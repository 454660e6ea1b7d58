"""Warn of ids that are one number with and without a word for a person before it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from medfl.identity.spelling import spelling

_WORD = re.compile(
    r"(?:patients?|patientid|pat|p|pid|subjects?|subj|sub|case|id|mrn|no|nr)([0-9]+)"
)


def about_id_words(patients: Iterable[str]) -> list[str]:
    """Warn of patients such as ``P7`` and ``7``, which ``normalise`` leaves apart.

    Two systems may count from 1, so nobody but a person knows whether these are one.

    Args:
        patients: whose each sample is, as the data call them; empty where nobody knows.
    """
    ways: dict[str, set[str]] = defaultdict(set)
    for patient in filter(None, set(patients)):
        text = spelling(patient)
        match = _WORD.fullmatch(text)
        ways[match[1].lstrip("0") or "0" if match else text].add(text)
    families = [one for one in ways.values() if len(one) > 1]
    if not families:
        return []
    return [
        f"{sum(map(len, families)):,} patients have {len(families):,} numbers, with and without a "
        "word before them (as P7, patient 7 and 7). If these are the same people, they may be in "
        "training and in test: write their ids alike, which nothing joins by itself"
    ]
