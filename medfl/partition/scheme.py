"""The words that name a partition, such as ``iid``, ``dirichlet-0.5`` or ``site``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from medfl.config import did_you_mean
from medfl.errors import MedflError


@dataclass(frozen=True)
class Family:
    """A family of schemes: ``<name>`` or ``<name>-<value>``."""

    example: str
    value: str | None = None
    low: float = 0.0
    high: float = math.inf
    whole: bool = False


def _alpha(example: str) -> Family:
    # Below 1e-6 a Dirichlet draw is one client a class, above 1e6 it is even; numpy's own draws
    # lose their exchangeability near the smallest floating-point numbers.
    return Family(example, value="alpha", low=1e-6, high=1e6)


FAMILIES: dict[str, Family] = {
    "iid": Family("iid"),
    "dirichlet": _alpha("dirichlet-0.5"),
    "pathological": Family("pathological-2", value="the number of classes", low=1, whole=True),
    "quantity": Family("quantity-1.5", value="the exponent", high=100),
    "dirichletquantity": _alpha("dirichletquantity-0.5"),
    "noise": Family("noise-0.1", value="the level", high=1),
    "scanner": Family("scanner-0.5", value="the strength", high=4),
    "site": Family("site"),
    "site-dirichlet": _alpha("site-dirichlet-0.5"),
    "custom": Family("custom"),
}


@dataclass(frozen=True)
class Scheme:
    """A partition's word, taken apart.

    Attributes:
        word: as it was written; it names folders.
        family: a key of ``FAMILIES``.
        value: alpha, number of classes, exponent, level or strength; 0 where there is none.
    """

    word: str
    family: str
    value: float

    @property
    def natural(self) -> bool:
        """Whether the data's own sites, or a person's own class, decide the number of clients."""
        return self.family in ("site", "custom")

    @property
    def by_site(self) -> bool:
        """Whether clients are sites or parts of sites."""
        return self.family in ("site", "site-dirichlet")

    @property
    def even(self) -> bool:
        """Whether those who hold a label hold equal shares of it."""
        return self.family in ("iid", "noise", "scanner", "pathological", "site")

    @property
    def transforms(self) -> bool:
        """Whether clients see their images through a scanner of their own (feature skew)."""
        return self.family in ("noise", "scanner")


def parse_partition(word: str) -> Scheme:
    """Take a partition's word apart.

    Raises:
        MedflError: for an unknown family, or a value that is missing, no number or out of range.
    """
    word = str(word)
    name, text = _cut(word)
    family = FAMILIES[name]
    if family.value is None:
        if text is not None:
            raise MedflError(f"partition `{word}`: `{name}` takes no value; write `{name}`.")
        return Scheme(word, name, 0.0)
    example = f"write it like `{family.example}`"
    if not text:
        raise MedflError(f"partition `{word}` lacks {family.value}: {example}.")
    try:
        value = float(text)
    except ValueError as error:
        raise MedflError(
            f"partition `{word}`: {family.value} `{text}` is not a number; {example}."
        ) from error
    if not math.isfinite(value):
        raise MedflError(f"partition `{word}`: {family.value} must be finite; {example}.")
    if not re.fullmatch(r"[-+.0-9eE]+", text):  # what float() takes besides, such as 1_0
        raise MedflError(f"partition `{word}`: `{text}` is not a plain number; {example}.")
    if family.value == "alpha" and value <= 0:
        raise MedflError(f"partition `{word}`: alpha must be more than 0; {example}.")
    if not family.low <= value <= family.high:
        limits = f"at least {family.low:g}"
        if family.high < math.inf:
            limits = f"from {family.low:g} to {family.high:g}"
        raise MedflError(f"partition `{word}`: {family.value} must be {limits}; {example}.")
    if family.whole and value != int(value):
        raise MedflError(f"partition `{word}`: {family.value} must be a whole number; {example}.")
    return Scheme(word, name, value)


def _cut(word: str) -> tuple[str, str | None]:
    """Family and value of a word; the longest family that fits wins."""
    for name in sorted(FAMILIES, key=len, reverse=True):
        if word == name:
            return name, None
        if word.startswith(f"{name}-"):
            return name, word[len(name) + 1 :]
    # Only the family can be wrong here: compare it without its value, and suggest whole words.
    stem = re.split(r"-(?=[-+.\d])", word, maxsplit=1)[0]
    examples = {name: family.example for name, family in FAMILIES.items()}
    hint = did_you_mean(stem, examples)
    for name, example in sorted(examples.items(), key=lambda item: -len(item[0])):
        hint = re.sub(rf"(?<![\w-]){name}(?![\w-])", example, hint)
    raise MedflError(f"unknown partition `{word}`{hint}")
