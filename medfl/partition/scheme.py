"""The words that name a partition, such as ``iid``, ``dirichlet-0.5`` or ``site``."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import cache

from medfl.config import NUMBER, did_you_mean, folder_word
from medfl.errors import MedflError
from medfl.partition.base import Partition, SiteName, Value
from medfl.partition.registry import PARTITIONS
from medfl.partition.site_words import LONGEST, read_site, spell_site

EACH_SITE = "leave-one-out"
"""Stands in a grid for ``leave-out-<site>`` with each site of its dataset."""
# A person's own class, which a value may follow. In names of folders a dot stands for the colon.
_OWN = re.compile(r"([A-Za-z_][\w.]*)[:.]([A-Za-z_]\w*)(?:-(.*))?")


def parse_partition(word: str) -> Partition:
    """Take a partition's word apart.

    Args:
        word: a built-in name, or a person's own ``my_package.module:MyPartition``; with a value
            behind it, as ``dirichlet-0.5``, where the partition has one.

    Raises:
        MedflError: for an unknown name, a class that cannot be loaded, or a value that is missing,
            no number or out of range.

    Returns:
        The partition. Its ``word`` is the same for every spelling of its number: ``dirichlet-0.10``
        and ``dirichlet-1e-1`` are ``dirichlet-0.1``. A site stands there as folders are called
        (see ``medfl/partition/site_words.py``).
    """
    word = str(word)
    return _built_in(word) if is_built_in(word) else _parse(word)


def is_built_in(word: str) -> bool:
    """Whether a word begins with the name of a partition of ours."""
    return any(word == name or word.startswith(f"{name}-") for name in PARTITIONS)


@cache  # a grid asks for its few words thousands of times; a person's own class may be edited
def _built_in(word: str) -> Partition:
    return _parse(word)


def _parse(word: str) -> Partition:
    name, text = split_word(word)
    word = folder_word(word)
    kind = PARTITIONS.load(name)
    value: object = kind.value
    shown = folder_word(name)
    if value is None:
        if text is not None:
            raise MedflError(f"partition `{word}`: `{shown}` takes no value; write `{shown}`.")
        return _build(kind, word, name)
    if not isinstance(value, Value | SiteName):  # a property, which has no value before an object
        raise MedflError(f"partition `{shown}`: its attribute `value` must be a Value, or None.")
    example = f"write it like `{shown}-{value.example}`"
    if not text:
        raise MedflError(f"partition `{word}` lacks {value.name}: {example}.")
    if isinstance(value, SiteName):
        return _build(kind, f"{shown}-{_site(word, text)}", name)
    number = _number(word, text, value, example)
    return _build(kind, f"{shown}-{plain_number(number)}", name, number)


def plain_number(number: float) -> str:
    """The shortest way to write a number, without an exponent where it is of a usual size."""
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return format(Decimal(repr(number)), "f") if 1e-6 <= abs(number) < 1e15 else repr(number)


def _build(kind: type[Partition], word: str, name: str, *number: float) -> Partition:
    with PARTITIONS.guarded(name, f"partition `{word}` cannot be built"):
        found = kind(word, name, *number)
    kept = vars(found)
    if (kept.get("word"), kept.get("name")) != (word, name) or "number" not in kept:
        raise MedflError(
            f"partition `{word}`: `{kind.__name__}.__init__` must take (self, word, name, number) "
            "and hand them to super().__init__(word, name, number)."
        )
    return found


def split_word(word: str) -> tuple[str, str | None]:
    """The name of a word, for ``PARTITIONS``, and its value; the longest name that fits wins."""
    for name in sorted(PARTITIONS, key=len, reverse=True):
        if word == name:
            return name, None
        if word.startswith(f"{name}-"):
            return name, word[len(name) + 1 :]
    if own := _OWN.fullmatch(word):
        return f"{own[1]}:{own[2]}", own[3]
    if word == EACH_SITE:
        raise MedflError(
            f"partition `{EACH_SITE}` stands in a grid for a partition with each site left out; "
            "here write which one, like `leave-out-rosendahl`."
        )
    # The name is wrong here, so it is compared without its value; whole words are suggested.
    stem = re.split(r"-(?=[-+.\d])", word, maxsplit=1)[0]
    examples = {name: _example(name) for name in PARTITIONS}
    hint = did_you_mean(stem, examples)
    for name, example in sorted(examples.items(), key=lambda item: -len(item[0])):
        hint = re.sub(rf"(?<![\w-]){name}(?![\w-])", example, hint)
    raise MedflError(
        f"unknown partition `{word}`{hint} Your own class is named as my_package.module:MyClass."
    )


def partition_title(word: str) -> str:
    """``dirichlet-0.5`` as a person says it; a word that is not known stays as it is."""
    try:
        found = parse_partition(word)
    except MedflError:
        return word
    text = split_word(word)[1]
    if text and isinstance(found.value, SiteName):
        text = read_site(text)
    return found.title.format(text) or word


def _example(name: str) -> str:
    value = PARTITIONS.load(name).value
    return name if value is None else f"{name}-{value.example}"


def _site(word: str, text: str) -> str:
    """The site behind a name, as folders are called."""
    try:
        found = spell_site(read_site(text))
    except ValueError as error:
        raise MedflError(
            f"partition `{word}`: what its ~ and digits stand for is no text in UTF-8; write the "
            "site as it is called."
        ) from error
    if len(found) > LONGEST:
        raise MedflError(
            f"partition `{word[:40]}…`: the name of its site takes {len(found)} characters in the "
            f"name of a folder, and {LONGEST} are the most: give the site a shorter one (in a "
            "description: `site: {map: …}`)."
        )
    return found


def _number(word: str, text: str, value: Value, example: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise MedflError(
            f"partition `{word}`: {value.name} `{text}` is not a number; {example}."
        ) from error
    if not math.isfinite(number):
        raise MedflError(f"partition `{word}`: {value.name} must be finite; {example}.")
    if not NUMBER.fullmatch(text):  # float() also takes 1_0
        raise MedflError(f"partition `{word}`: `{text}` is not a plain number; {example}.")
    if value.positive and number <= 0:
        raise MedflError(f"partition `{word}`: {value.name} must be more than 0; {example}.")
    if not value.low <= number <= value.high:
        limits = f"at least {value.low:g}"
        if value.high < math.inf:
            limits = f"from {value.low:g} to {value.high:g}"
        raise MedflError(f"partition `{word}`: {value.name} must be {limits}; {example}.")
    if value.whole and number != int(number):
        raise MedflError(f"partition `{word}`: {value.name} must be a whole number; {example}.")
    return number
