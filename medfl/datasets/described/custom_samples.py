"""What ``load_data`` gives, made plain: texts that a table can hold, and labels that are some."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from medfl.datasets.described.custom import CustomSample
from medfl.errors import MedflError, own_code

LONGEST = 10_000
"""Letters of a text in a table."""
_ESCAPED = "surrogateescape"


def plain_sample(given: CustomSample, where: str) -> CustomSample:
    """The same sample with texts for all that is no image or label.

    Args:
        given: as a person's own class gives it, whose objects may fail at anything.
        where: which sample it is, for errors.

    Raises:
        MedflError: something of it cannot be written into a table.
    """
    with own_code(f"{where} cannot be read", private=True):
        if not isinstance(given.attributes, Mapping):
            kind = type(given.attributes).__name__
            raise MedflError(f"{where} has attributes of type {kind}: give a dictionary.")
        attributes: dict[str, str] = {}
        for name, value in given.attributes.items():
            known = _text(name, "an attribute's name", where, _one_line)
            if known in attributes:
                raise MedflError(f"{where} has two attributes of one name: leave one out.")
            attributes[known] = _text(value, "an attribute", where, _writable)
        return replace(
            given,
            image=_images(given.image, where),
            patient=_text(given.patient, "a patient", where, _hashed),
            site=_text(given.site, "a site", where, _one_line),
            id=_text(given.id, "an id", where, _hashed),
            fold=_text(given.fold, "a fold", where, _one_line),
            attributes=attributes,
        )


def labels_of(one: CustomSample, task: str, where: str) -> tuple[str, ...]:
    """The labels of a sample, as texts."""
    with own_code(f"{where} has a label that cannot be read", private=True):
        given = one.label
        one_only = isinstance(given, str | int | np.integer)
        several = isinstance(given, Iterable) and not isinstance(given, bytes | Mapping)
        if not one_only and not several:
            raise _no_label(given, where)
        found = [given] if one_only else list(given)  # type: ignore[arg-type]
        for label in found:
            if not isinstance(label, str | int | np.integer):
                raise _no_label(label, where)
        names = tuple(_text(label, "a label", where, _one_line) for label in found)
    if task == "multiclass" and len(names) != 1:
        raise MedflError(f'{where} has {len(names)} labels; say `task = "multilabel"`.')
    return tuple(filter(None, names))


def same_columns(samples: list[CustomSample]) -> list[dict[str, str]]:
    """The attributes of each sample: those of all samples, empty where one lacks some."""
    names = dict.fromkeys(name for one in samples for name in one.attributes)
    return [{name: one.attributes.get(name, "") for name in names} for one in samples]


def _no_label(given: Any, where: str) -> MedflError:
    kind = type(given).__name__
    return MedflError(f"{where} has a label of type {kind}: give a text or a whole number.")


def _images(image: Any, where: str) -> Any:
    if not isinstance(image, Mapping):
        return image
    if not image:
        raise MedflError(f"{where} has a dictionary of no images: give one for each modality.")
    return {_text(name, "a modality", where, _one_line): one for name, one in image.items()}


def _text(value: Any, what: str, where: str, fits: Callable[[str], bool]) -> str:
    """A value as a text; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bytes) or (isinstance(value, Iterable) and not isinstance(value, str)):
        kind = type(value).__name__
        raise MedflError(f"{where} has {what} of type {kind}: give a text or a number.")
    text = str(value)
    if len(text) > LONGEST:
        raise MedflError(
            f"{where} has {what} of {len(text):,} letters: give {LONGEST:,} at the most."
        )
    if not fits(text):
        raise MedflError(
            f"{where} has {what} with signs that no table can hold (control signs, a line's end or "
            "half of a letter): take them out in load_data."
        )
    return text


def _one_line(text: str) -> bool:
    text = text.strip()
    return text.isprintable() or not any(unicodedata.category(one) in ("Cc", "Cs") for one in text)


def _writable(text: str) -> bool:
    return text.isascii() or not any(unicodedata.category(one) == "Cs" for one in text)


def _hashed(text: str) -> bool:
    """Whether its bytes can be had; names of files may hold any byte."""
    try:
        return bool(text.encode("utf-8", _ESCAPED)) or not text
    except UnicodeEncodeError:
        return False
