"""Rules: how the messages of a round become one total. The weighted sum is written here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from medfl.chain.message import Message, Part, Total
from medfl.errors import MedflError
from medfl.registry import HyperParams

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Algorithm, Server
    from medfl.config import FederatedConfig


class Rule(ABC):
    """How a round's messages are combined. Each round starts a new ``Combination``.

    Class attributes:
        Params: its parameters, a frozen pydantic model.
        may_give_up: whether a round may come to nothing though clients answered: its total is then
            empty, and everyone stays as before the round.

    Attributes:
        seed: the run's seed.
        round: the round that was opened last.
        note: what the log says before the first round, such as how much memory it takes.
    """

    class Params(HyperParams):
        """No parameters."""

    may_give_up: ClassVar[bool] = False
    seed = 0
    round = 0
    note = ""

    def __init__(self, **params: Any) -> None:
        self.params: Any = self.Params(**params)

    @property
    def effect(self) -> str | None:
        """What it makes of the objective, in words for the record; None where that is not known."""
        return None

    @property
    def root_patients(self) -> int:
        """How many patients of the training fold are the server's own, for this rule."""
        return 0

    def check(  # noqa: B027 - a rule need not refuse anything
        self, config: FederatedConfig, algorithm: type[Algorithm]
    ) -> None:
        """Refuse settings under which the rule is not what it says (``MedflError``)."""

    def setup(self, server: Server) -> None:  # noqa: B027 - a rule need not know its federation
        """Look at the federation before its first round, or refuse it (``MedflError``)."""

    def record(self) -> dict[str, Any]:
        """What the record of the run says of it under ``chain``, such as settings it derived."""
        return {}

    @abstractmethod
    def start(self) -> Combination:
        """Open a round with an empty combination."""


class Combination(ABC):
    """Takes in the messages of one round, which come in the order of the clients' ids."""

    @abstractmethod
    def add(self, message: Message) -> None:
        """Take in one message; its vectors may be overwritten afterwards."""

    @abstractmethod
    def total(self) -> dict[str, Total]:
        """What the messages add up to, part by part; empty where no message came."""


class Sum(Rule):
    """The weighted sum, Σ w_i v_i. It keeps one vector per part, however many clients answer."""

    effect = ""

    def start(self) -> Combination:
        """Open a round with an empty sum."""
        return WeightedSum()


def check_alike(client: int, name: str, part: Part, others: Tensor) -> None:
    """Refuse a part of another length than that of the clients before (``MedflError``)."""
    if part.value.shape != others.shape:
        raise MedflError(
            f"the part `{name}` of client {client} has the shape {tuple(part.value.shape)}, and "
            f"that of the clients before it {tuple(others.shape)}: they cannot be combined."
        )


@dataclass
class _Running:
    sum: Tensor
    weight: float
    base: Tensor | None
    messages: int = 1


class WeightedSum(Combination):
    """Σ w_i v_i and Σ w_i of each part; it divides after the sum is made."""

    def __init__(self) -> None:
        self._parts: dict[str, _Running] = {}

    def add(self, message: Message) -> None:
        """Add the message's parts with their weights."""
        for name, part in message.parts.items():
            running = self._parts.get(name)
            if running is None:
                self._parts[name] = _Running(part.value.clone(), part.weight, part.base)
                continue
            check_alike(message.client, name, part, running.sum)
            if running.messages == 1:
                running.sum.mul_(running.weight)
            running.sum.add_(part.value, alpha=part.weight)
            running.weight += part.weight
            running.messages += 1

    def total(self) -> dict[str, Total]:
        """The mean of each part; where one client answered, its own vector to the bit."""
        for running in self._parts.values():
            if running.messages > 1:
                running.sum.div_(running.weight)
        return {name: Total(r.sum, r.weight, r.base) for name, r in self._parts.items()}
