"""What a person's own class says of itself, read once and checked before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any

from medfl.config import did_you_mean
from medfl.datasets.described.custom import CustomMedicalDataset, class_name
from medfl.datasets.described.schema import Description, check_name
from medfl.errors import MedflError, own_code
from medfl.imaging.modality import preprocess_for
from medfl.own_class import check_type

MOST_CLASSES = 10_000
LONGEST_NAME = 100
_TEXTS = ("name", "title", "licence", "citation")
_WORDS = {
    "task": ("multiclass", "multilabel"),
    "fusion": ("early", "late"),
    "frames": ("stated", "ignore"),
}


@dataclass(frozen=True)
class ClassFacts:
    """The class attributes of a ``CustomMedicalDataset``, of the types that medfl needs."""

    name: str
    title: str
    licence: str
    citation: str
    classes: tuple[str, ...]
    task: Any
    modality: str
    preprocess: dict[str, Any] | None
    size: int
    fusion: Any
    frames: Any


def facts_of(custom: CustomMedicalDataset, name: str, data: Description | None) -> ClassFacts:
    """Read what a class says of itself, once a description has put its own words in place of some.

    Args:
        custom: an object of the class, which sees the description's words too.
        name: what the description calls it; else the class says it.
        data: the description, if there is one.

    Raises:
        MedflError: the class fails at that, or says what medfl cannot use.
    """
    kind = type(custom).__name__
    with own_code(f"{kind} cannot be asked for its class attributes", private=True):
        if data is not None:
            if data.modality:
                custom.modality = data.modality
            if data.preprocess:
                custom.preprocess = {**(custom.preprocess or {}), **data.preprocess}
            if "size" in data.model_fields_set:
                custom.size = data.size
        names = [one.name for one in fields(ClassFacts)]
        said: dict[str, Any] = {one: getattr(custom, one) for one in names}
        for one in _TEXTS:
            said[one] = "" if said[one] is None else said[one]
            check_type(said[one], str, f"{kind}.{one}", "a text")
        said["name"] = name or class_name(custom)
        said["classes"] = _classes(said["classes"], f"{kind}.classes")
    for one, known in _WORDS.items():
        if said[one] not in known:
            hint = did_you_mean(str(said[one]), known)
            raise MedflError(f"{kind}.{one}: unknown word `{said[one]}`{hint}")
    try:
        check_name(said["name"])
    except ValueError as error:
        raise MedflError(f"{kind}.name: {error}.") from error
    if len(said["name"]) > LONGEST_NAME:
        raise MedflError(f"{kind}.name has more than {LONGEST_NAME} letters: choose a shorter one.")
    if not isinstance(said["size"], Integral) or isinstance(said["size"], bool):
        needed = "a whole number of pixels"
        raise MedflError(f"{kind}.size is {said['size']!r}, but needed is {needed}.")
    said["size"] = int(said["size"])
    if said["preprocess"] is not None:
        needed = "a dictionary of settings, or None for finished arrays"
        check_type(said["preprocess"], Mapping, f"{kind}.preprocess", needed)
        said["preprocess"] = dict(said["preprocess"])
        preprocess_for(said["modality"], said["preprocess"], f"{kind}.preprocess")
    return ClassFacts(**said)


def _classes(said: Any, where: str) -> tuple[str, ...]:
    listed = isinstance(said, Iterable) and isinstance(said, Sized)
    if not listed or isinstance(said, str | bytes | Mapping):
        check_type(said, (), where, "a list of the classes' names")
    if len(said) > MOST_CLASSES:
        raise MedflError(f"{where} has {len(said):,} names; {MOST_CLASSES:,} are the most.")
    for one in said:
        check_type(one, (str, Integral), f"{where}, in its list,", "a text or a whole number")
    return tuple(map(str, said))
