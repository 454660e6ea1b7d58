"""What `map` and `ignore` of a description make of a word, and words there that nothing has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping

from medfl.config.base import UNSHOWN
from medfl.errors import MedflError
from medfl.identity import quoted

OTHERS = ("*", "all others")  # as a key of `map`: every word that no other key names
NOTHING = {"nan", "na", "n/a", "#n/a", "none", "null", "-", "?"}  # how tables write an empty cell


def mapped(
    rename: Mapping[str, str], word: str, others: bool = True, but: Collection[str] = ()
) -> str:
    """Give a word its new name; a word that no key names keeps its own, or has that of ``'*'``.

    Numbers are compared as such: ``-1`` is the key of a cell ``-1.0``. An empty word, or one that
    means nothing (``NA``), is none of the others.

    Args:
        rename: new names.
        word: to be named.
        others: whether it may be one of the others.
        but: words that are none of the others.
    """
    key = next((one for one in rename if is_among(word, (one,))), None)
    if key is not None:
        return rename[key]
    if not others or not word or word.casefold() in NOTHING or is_among(word, but):
        return word
    other = of_others(rename)
    return word if other is None else other


def of_others(rename: Mapping[str, str]) -> str | None:
    """Give the name of all that no other key names; None where they keep their own."""
    return next((rename[key] for key in OTHERS if key in rename), None)


def is_among(word: str, words: Collection[str]) -> bool:
    """Whether a word is one of them, letter by letter or as a number."""
    return word in words or _number(word) in map(_number, words)


def _number(word: str) -> float | str:
    return float(word) if re.fullmatch(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?", word) else word


def refuse_contradictions(rename: Mapping[str, str], ignore: Collection[str], where: str) -> None:
    """Refuse a word that is to have two names, or to be named and ignored.

    Args:
        rename: `map`.
        ignore: words whose samples are left out.
        where: both stand, for the error.

    Raises:
        MedflError: nobody knows which is meant.
    """
    for word in ignore:
        if word in OTHERS:
            raise MedflError(
                f"{where}.ignore: `{word}` stands for all others in `map` alone, where "
                "`{'*': ''}` takes the label from them."
            )
        if is_among(word, rename):
            raise MedflError(
                f"{where}: `{word}` stands in `map` and in `ignore`, and nobody knows which is "
                "meant: leave it out of one."
            )
    for number, (word, name) in enumerate(rename.items()):
        for other in list(rename)[:number]:
            if is_among(word, (other,)) and rename[other] != name:
                raise MedflError(
                    f"{where}.map: `{other}` and `{word}` are one number with two names: leave one "
                    "out."
                )


def about_unused(
    setting: str, words: Iterable[str], met: Collection[str], known: Iterable[str] = ()
) -> list[str]:
    """Warn of words of a setting that nothing in the data is called; they may be misspelt.

    A word that is like none that may be shown is shown where it can name nobody.

    Args:
        setting: the key of the description where they stand.
        words: those that stand there.
        met: what the data hold.
        known: words that may be meant, and that may be shown.
    """
    unused = [
        (place, word)
        for place, word in enumerate(words, start=1)
        if word and word not in OTHERS and not is_among(word, met)
    ]
    if not unused:
        return []
    known = list(known)
    shown = ", ".join(_shown(word, place, known) for place, word in unused)
    return [f"`{setting}` names {shown}, which no sample has: look how it is written"]


def _shown(word: str, place: int, known: list[str]) -> str:
    """A word with the one that may be meant; without that it is no label, and may be a name."""
    spelt = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(word.casefold(), spelt, n=1, cutoff=0.6)
    if near:
        return f"`{word}` (`{spelt[near[0]]}`?)"
    text = quoted(word)
    return f"{text} (word {place} there)" if text == UNSHOWN else text
