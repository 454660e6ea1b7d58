"""What a person's own link gives in place of a message, held against what it was given.

A part of another length would be spread over all entries, and a message without one would take
the client's training out of the round: numbers come out, and nobody is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any

from medfl.chain.message import Message, Part, Sealed, Total
from medfl.chain.own_said import is_whole_number
from medfl.errors import MedflError
from medfl.own_class import check_type

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from medfl.chain.roles import Server

Shapes = Mapping[str, "torch.Size"]


def shapes_of(message: Message) -> dict[str, torch.Size]:
    """The parts of a message and their shapes, before a link may change it in place."""
    return {name: part.value.shape for name, part in message.parts.items()}


def check_message(message: Message, client: int, given: Shapes, where: str) -> None:
    """Refuse a message that lacks a part, or one whose numbers cannot be combined.

    Args:
        message: what a link gives.
        client: whose message it was.
        given: the parts that it had.
        where: the link, for errors.
    """
    if message.client != client:
        raise MedflError(f"{where} gave a message of client {message.client!r} for {client}'s.")
    check_type(message.parts, dict, f"{where}, as its parts,", "a dictionary of name → Part")
    check_type(message.notes, dict, f"{where}, as its notes,", "a dictionary of names and numbers")
    if lacking := [name for name in given if name not in message.parts]:
        raise MedflError(
            f"{where} gave a message without {' and '.join(f'`{one}`' for one in lacking)}: give "
            "each part that it had, changed or not, or None where the client drops out."
        )
    for name, part in message.parts.items():
        check_type(part, Part, f"{where}, as `{name}`,", "a Part")
        check_part(part, given.get(name), f"{where}: its part `{name}`")
    numbers = {"loss": message.loss, "weight": message.weight, **message.notes}
    for name, number in numbers.items():
        if number is not None and not isinstance(number, Real):
            check_type(number, (), f"{where}, as `{name}`,", "a number")
    if not 0 <= message.weight < math.inf:
        raise MedflError(f"{where} gave a message of weight {message.weight}: give 0 or more.")
    counts = {name: getattr(message, name) for name in ("steps", "gradients", "forwards")}
    for name, count in counts.items():
        if count is not None and not is_count(count):
            raise MedflError(f"{where} gave `{name}` of {count!r}: give a whole number, or None.")
    sealed = message.sealed
    if sealed is not None:
        check_type(sealed, Sealed, f"{where}, as `sealed`,", "a medfl.chain.Sealed, or None")
        if not is_count(sealed.size):
            raise MedflError(
                f"{where} gave a sealed content of {sealed.size!r} bytes: give how many."
            )


def check_messages(messages: Sequence[Message], given: Mapping[int, Shapes], where: str) -> None:
    """Refuse a round's messages that are not of those who sent some, each once."""
    clients = [message.client for message in messages]
    if len(set(map(repr, clients))) < len(clients) or not all(one in given for one in clients):
        raise MedflError(
            f"{where} gave messages of the clients {clients}: give one of each at most, and of "
            f"none but {list(given)}."
        )
    for message in messages:
        check_message(message, message.client, given[message.client], where)


@contextmanager
def kept_vectors(
    parts: Mapping[str, Part | Total], where: str, values: bool = True
) -> Iterator[None]:
    """Refuse a hook that writes into vectors which are not its own.

    The base is what the server sent, which all clients start from, and a message's value may be
    the memory of the model that was trained.

    Args:
        parts: what it is given.
        where: the hook, for errors.
        values: whether it may not write into the values either.
    """
    vectors = [(name, part.base) for name, part in parts.items() if part.base is not None]
    if values:
        vectors += [(name, part.value) for name, part in parts.items() if isinstance(part, Part)]
    before = [version_of(vector) for _, vector in vectors]
    yield
    for (name, vector), version in zip(vectors, before, strict=True):
        if version_of(vector) != version:
            raise MedflError(
                f"{where} has changed a vector of `{name}` in place, which is not its own: give "
                "a new one, as `part.with_update(part.update * 0.5)` does."
            )


@contextmanager
def kept_model(server: Server, where: str, instead: str) -> Iterator[None]:
    """Refuse a hook that sets the model with which the run begins; ``instead`` says what it may."""
    before = server.vector.clone(), server.buffers.clone()
    yield
    now = server.vector, server.buffers
    if not all(hasattr(one, "shape") for one in now) or not all(
        one.equal(then) for one, then in zip(now, before, strict=True)
    ):
        raise MedflError(
            f"{where} has changed the server's model, with which the run begins: {instead}."
        )


def version_of(vector: Tensor) -> int:
    """How often a tensor was written into."""
    return 0 if vector.is_inference() else vector._version


def is_count(number: Any) -> bool:
    """Whether it is a whole number, 0 or more."""
    return is_whole_number(number) and bool(number >= 0)


def check_part(part: Part, shape: torch.Size | None, where: str, so: str = "as it was") -> None:
    """Refuse a part that is no vector of ``shape``, if that is known, with a weight and a base."""
    value: Any = part.value
    if not hasattr(value, "new_empty") or value.ndim != 1 or not value.is_floating_point():
        raise MedflError(f"{where} must be a vector (k,) of real numbers, a tensor.")
    if shape is not None and value.shape != shape:
        raise MedflError(
            f"{where} is of shape {tuple(value.shape)}, but needed is {tuple(shape)}, {so}."
        )
    if part.base is not None and getattr(part.base, "shape", None) != value.shape:
        raise MedflError(f"{where} has another base than what the server sent: keep that.")
    if not isinstance(part.weight, Real) or not 0 <= part.weight < math.inf:
        raise MedflError(f"{where} has the weight {part.weight}: it must be a number, 0 or more.")
    if part.bits is not None and not is_count(part.bits):
        raise MedflError(f"{where} has `bits` of {part.bits}: give a whole number, or None.")
