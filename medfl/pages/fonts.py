"""Finds fonts for the letters of people's own names, in whichever script they are written.

Matplotlib brings DejaVu Sans: Latin, Greek, Cyrillic, Arabic, Hebrew and more, but neither the
letters of Chinese, Japanese and Korean nor those of India. Fonts that have them are sought on this
machine; what none has is remembered, and the command says so when it ends.
"""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

OWN = "DejaVu Sans"
# The first of these that are there are asked before any other: they are whole, and look like OWN.
LIKED = ("NotoSans", "SourceHanSans", "DroidSansFallback", "WenQuanYi", "Nanum", "Lohit")

_missing: set[str] = set()


def fit_fonts(figure: Figure) -> None:
    """Give the texts of a figure fonts that have all of their letters, as far as there are some."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_fontproperties(fitting(text.get_text(), text.get_fontproperties()))


def fitting(text: str, font: FontProperties) -> FontProperties:
    """A font for a text, followed by others that have the letters which it lacks."""
    if text.isascii() or not (lacking := frozenset(filter(_is_lacking, text))):
        return font
    files, left = _covering(lacking)
    _missing.update(left)
    if left:
        # The command says it once, in words of its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
    if files:
        font = font.copy()
        font.set_family([OWN, *map(_family, files)])
    return font


def undrawn() -> str:
    """A sentence on letters that no font had since the last call; empty for none."""
    if not _missing:
        return ""
    some = "".join(sorted(_missing)[:12]) + ("…" if len(_missing) > 12 else "")
    _missing.clear()
    return (
        f"no font on this machine has the letters {some}: they are empty boxes in the pictures. "
        "Install one that has them (on Debian fonts-noto-core, and fonts-noto-cjk for Chinese, "
        "Japanese and Korean) or put its file into ~/.local/share/fonts, and draw again."
    )


def remember(letters: Iterable[str]) -> None:
    """Take over what another process found that no font has."""
    _missing.update(letters)


def missing() -> list[str]:
    """The letters that no font had so far."""
    return sorted(_missing)


def _is_lacking(letter: str) -> bool:
    """Whether a letter is none of our own font's; controls and joiners are not drawn at all."""
    drawn = unicodedata.category(letter)[0] != "C"
    return drawn and ord(letter) not in _letters(_file_of_own())


@cache
def _covering(letters: frozenset[str]) -> tuple[list[str], set[str]]:
    """Files of fonts that together have the letters, and those that none has."""
    left, files = set(letters), []
    for file in _files():
        found = {letter for letter in left if ord(letter) in _letters(file)}
        if found:
            files.append(file)
            left -= found
        if not left:
            break
    return files, left


@cache
def _files() -> list[str]:
    """The fonts of this machine, those that are liked first."""
    from matplotlib.font_manager import findSystemFonts

    def key(file: str) -> tuple[int, bool, str]:
        name = Path(file).name
        liked = (place for place, word in enumerate(LIKED) if name.startswith(word))
        return next(liked, len(LIKED)), "Regular" not in name, name

    return sorted(map(os.fspath, findSystemFonts()), key=key)


@cache
def _letters(file: str) -> frozenset[int]:
    """The letters of a font, by their numbers in Unicode; none where it cannot be read."""
    from matplotlib.font_manager import get_font

    try:
        return frozenset(get_font(file).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _file_of_own() -> str:
    from matplotlib.font_manager import findfont

    return os.fspath(findfont(OWN))


@cache
def _family(file: str) -> str:
    """The name by which matplotlib knows a font, which it has not read before."""
    from matplotlib.font_manager import fontManager, get_font

    name = str(get_font(file).family_name)
    if name not in {entry.name for entry in fontManager.ttflist}:
        fontManager.addfont(file)
    return name
