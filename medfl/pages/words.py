"""Words on pages: code among them, and names that fit into the room that a picture has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from textwrap import wrap


def with_code(text: str, plain: Callable[[str], str], code: Callable[[str], str]) -> str:
    """A text in some markup: what stands in backticks is code, as in Markdown.

    Args:
        text: of which no part is markup yet.
        plain: writes words as they are.
        code: writes what stands between two backticks.
    """
    parts = re.split(r"`([^`]+)`", text)
    return "".join(code(part) if k % 2 else plain(part) for k, part in enumerate(parts))


def shorten(name: str, limit: int = 18) -> str:
    """A name that fits beside a matrix."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def distinct(names: Sequence[str], limit: int = 18) -> list[str]:
    """Names of at most ``limit`` characters, which differ wherever the names do.

    What two names have in common at their beginnings is cut first: of ``pigmented benign
    keratosis`` and ``pigmented benign naevus`` remain ``pigmented …eratosis`` and ``pigmented
    …n naevus``. Where that does not tell them apart either, their places among the names do.
    """
    alike = [shorten(name, limit) for name in names]
    found = list(alike)
    for word, count in Counter(alike).items():
        places = [place for place, other in enumerate(alike) if other == word]
        if count > 1 and len({names[place] for place in places}) > 1:
            for place, text in zip(places, _apart([names[p] for p in places], limit), strict=True):
                found[place] = text
    if len(set(found)) < len(set(names)):
        return [_with_end(name, f" {place}", limit) for place, name in enumerate(names, start=1)]
    return found


def _apart(names: Sequence[str], limit: int) -> list[str]:
    """Names that begin alike, cut in the middle; the longer end that is kept, the better."""
    cut = list(names)
    for kept in range(limit // 2, limit - 1):
        cut = [_with_end(name, name[-kept:], limit) for name in names]
        if len(set(cut)) == len(set(names)):
            break
    return cut


def _with_end(name: str, end: str, limit: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1 - len(end)]}…{end}"


def in_lines(names: Sequence[str], width: int, lines: int = 2) -> list[str]:
    """Names broken into lines of at most ``width`` characters; what takes more lines is cut."""
    fits = [len(wrap(name, width)) <= lines for name in names]
    short = distinct(names, width)
    return [
        "\n".join(wrap(name, width)) if fit else cut
        for name, fit, cut in zip(names, fits, short, strict=True)
    ]
