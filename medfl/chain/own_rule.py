"""What a person's own rule makes of a round's messages, held against what it was given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from medfl.chain.combine import Combination
from medfl.chain.message import Message, Total
from medfl.errors import MedflError
from medfl.own_class import check_type

if TYPE_CHECKING:
    import torch

_TOTAL = "the total that the server gets: a dictionary of name → Total of vectors"


class Totalled(Combination):
    """A combination of a person's own link, whose total the server must be able to use.

    Args:
        inner: the combination.
        where: the link, for errors.
        sent: the parts that clients had before the link sealed them, and their shapes; it may be
            filled later.
    """

    def __init__(self, inner: Combination, where: str, sent: Mapping[str, torch.Size]) -> None:
        self._inner, self._where, self._sent = inner, where, sent

    def add(self, message: Message) -> None:
        """Take in a message."""
        self._inner.add(message)

    def total(self) -> dict[str, Total]:
        """What the link makes of the messages (``MedflError`` where that is no total)."""
        total = self._inner.total()
        check_total(total, f"{self._where}: `total`")
        if total:  # else the round is given up
            check_kept(total, self._sent, f"{self._where}: `total`")
        return total


class Watched(Combination):
    """A combination of a person's own rule, whose total must have every part that was sent.

    Args:
        inner: the combination.
        where: the rule, for errors.
        may_give_up: whether its total may be empty though clients answered.
    """

    def __init__(self, inner: Combination, where: str, may_give_up: bool) -> None:
        self._inner, self._where, self._may_give_up = inner, where, may_give_up
        self._sent: dict[str, torch.Size] = {}

    def add(self, message: Message) -> None:
        """Take in a message, and remember what parts it has."""
        for name, part in message.parts.items():
            self._sent.setdefault(name, part.value.shape)
        self._inner.add(message)

    def total(self) -> dict[str, Total]:
        """What the rule makes of the messages (``MedflError`` where the server cannot use it)."""
        total, where = self._inner.total(), f"{self._where}: its total"
        check_total(total, f"{self._where}: `total`")
        if not total and self._may_give_up:
            return total
        if not total and self._sent:
            raise MedflError(
                f"{where} is empty though clients answered: give a Total for each of "
                f"{_words(self._sent)}, or set the class attribute `may_give_up = True` if a round "
                "may come to nothing."
            )
        if total.keys() != self._sent.keys():
            raise MedflError(
                f"{where} has {_words(total)}, but clients sent {_words(self._sent)}: give a Total "
                "for each of these, and no other."
            )
        for name, shape in self._sent.items():
            _check_part(total[name], f"{where} of `{name}`", tuple(shape))
        return total


def check_total(total: Any, where: str) -> None:
    """Refuse what is no total of vectors."""
    check_type(total, dict, where, _TOTAL)
    for name, one in total.items():
        check_type(one, Total, f"{where}, in {name!r},", _TOTAL)
        if getattr(one.mean, "ndim", None) != 1 or not hasattr(one.mean, "new_empty"):
            check_type(one.mean, (), f"{where}, in {name!r},", "a vector (k,)")


def check_kept(total: dict[str, Total], given: Mapping[str, torch.Size], where: str) -> None:
    """Refuse a total that lacks a part of the one that was given, or has another shape there."""
    if lacking := [name for name in given if name not in total]:
        raise MedflError(
            f"{where} gave a total without {_words(lacking)}: give back each part, changed or not."
        )
    for name, shape in given.items():
        _check_part(total[name], f"{where}, in `{name}`,", tuple(shape))


def _check_part(one: Total, where: str, shape: tuple[int, ...]) -> None:
    if tuple(one.mean.shape) != shape or not one.mean.is_floating_point():
        raise MedflError(
            f"{where} is {one.mean.dtype} of shape {tuple(one.mean.shape)}, but needed are real "
            f"numbers of shape {shape}, as clients sent them."
        )
    base = getattr(one.base, "shape", ())
    if one.base is not None and tuple(base) != shape:
        raise MedflError(f"{where} has another base than the messages: give that of their parts.")
    if not isinstance(one.weight, Real) or not 0 <= one.weight < math.inf:
        raise MedflError(
            f"{where} has the weight {one.weight}: it must be a number, the sum of all weights."
        )


def _words(names: Any) -> str:
    return " and ".join(f"`{name}`" for name in names) or "nothing"
