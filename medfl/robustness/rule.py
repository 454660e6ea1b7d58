"""What robust rules share: they keep a round's updates, and combine each part of them by itself."""

from __future__ import annotations

import logging
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from medfl.chain.combine import Combination, Rule, check_alike
from medfl.chain.message import Message, Part, Total
from medfl.config.chain import share_or_number
from medfl.config.deciding import neutral
from medfl.errors import MedflError
from medfl.registry import HyperParams
from medfl.robustness.attackers import NotDefinedError, count_attackers, how_many
from medfl.robustness.mixing import buckets, nearest_neighbours
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Algorithm, Server
    from medfl.config import FederatedConfig

log = logging.getLogger(__name__)


class RobustRule(Rule):
    """Combines updates so that f bad ones among n do little.

    Every part of a message is combined by itself, from value − base: who is bad in one part may
    be good in another, and SCAFFOLD's control variates and batch-norm statistics are guarded as
    the parameters are. Every client counts once, whatever its weight, unless a rule says
    otherwise. The server gets (Σ w_i) times what the rule makes of the updates, so that weights
    that do not add up to 1 (FedNova's, SCAFFOLD's) keep their meaning.

    The rule keeps all messages of a round: n vectors of d entries. A round in which fewer clients
    answer than it needs is given up: the model and its clients stay as they were before it.

    Class attributes:
        least: (a, b): more than a · f + b updates are needed.
        least_word: the same in words, such as ``2f + 2 < n``.
    """

    class Params(HyperParams):
        """withstands: f, how many bad updates of a round, or a share below 1 of all clients; null:
            as many as there are attackers.

        pre_aggregation: what is done to the updates first: ``nnm`` puts in place of each the mean
            of the n − f nearest to it, ``bucketing`` means of ``bucket`` updates drawn at random.
        """

        withstands: int | float | None = Field(None, ge=0, json_schema_extra=neutral(None))
        pre_aggregation: Literal["nnm", "bucketing"] | None = Field(
            None, json_schema_extra=neutral(None)
        )
        bucket: int = Field(2, ge=2, json_schema_extra=neutral(2))

        @field_validator("withstands")
        @classmethod
        def _whole_from_one_on(cls, withstands: float | None) -> float | None:
            return None if withstands is None else share_or_number(withstands)

    may_give_up = True
    least: ClassVar[tuple[int, int]] = (2, 0)
    least_word: ClassVar[str] = "2f < n"
    _attackers = _clients = 0

    @abstractmethod
    def locate(self, updates: Updates, f: int) -> Tensor:
        """The update (k,) that stands for all; f of those in ``updates`` may be bad."""

    def check(self, config: FederatedConfig, algorithm: type[Algorithm]) -> None:
        """Refuse fewer clients than the rule needs, where the configuration says how many."""
        learning = config.federated_learning
        if learning.num_clients is not None:
            self._demand(config, learning.num_clients)

    def setup(self, server: Server) -> None:
        """Learn f, refuse too few clients, and say how much memory the updates take."""
        config, clients = server.config, server.num_clients
        self._demand(config, clients)
        several = min(clients, config.federated_learning.clients_per_round or clients)
        entries = server.vector.numel() + server.buffers.numel()
        size = several * (server.vector.nbytes + server.buffers.nbytes)
        self.note = (
            f"the rule {config.chain.rule} keeps all updates of a round: {several} × {entries} "
            f"numbers, {size / 2**30:.2g} GiB at least"
        )

    def start(self) -> Combination:
        """Open a round without a message."""
        return KeptMessages(self)

    def total(self, parts: dict[str, list[Part]]) -> dict[str, Total]:
        """base + location in place of the mean, part by part; empty where too few answered."""
        f, count = self.bad, len(next(iter(parts.values()), ()))
        if self._problem(f, count):
            if count:
                log.warning("round %d is given up: %s", self.round, self._problem(f, count))
            return {}
        return {name: self._combine(name, kept, f) for name, kept in parts.items()}

    def _combine(self, name: str, parts: list[Part], f: int) -> Total:
        base, weight = parts[0].base, sum(part.weight for part in parts)
        if not parts[0].value.numel():
            return Total(parts[0].value, weight, base)
        location = self.locate(self._prepared(Updates.of(parts, name), f), f)
        if getattr(location, "shape", None) != parts[0].value.shape:
            shape = getattr(location, "shape", None)
            given = type(location).__name__ if shape is None else tuple(shape)
            raise MedflError(
                f"{type(self).__name__}.locate gave {given}, but needed is a tensor as long as an "
                f"update: {tuple(parts[0].value.shape)}."
            )
        return Total(location if base is None else location + base, weight, base)

    def _prepared(self, updates: Updates, f: int) -> Updates:
        """What the rule combines: the updates, or their mixtures."""
        if self.params.pre_aggregation == "nnm":
            return updates.mixed(nearest_neighbours(updates.squared_distances(), f))
        if self.params.pre_aggregation == "bucketing":
            return updates.mixed(buckets(len(updates), self.params.bucket, self.seed, self.round))
        return updates

    @property
    def bad(self) -> int:
        """f: how many of the clients it expects to be bad."""
        withstands = self.params.withstands
        return self._attackers if withstands is None else how_many(withstands, self._clients)

    def _demand(self, config: FederatedConfig, clients: int) -> None:
        """Refuse a federation in which a round has fewer clients than the rule needs."""
        self._attackers, self._clients = count_attackers(config.chain.attackers, clients), clients
        several = min(clients, config.federated_learning.clients_per_round or clients)
        if problem := self._problem(self.bad, several):
            raise NotDefinedError(
                f"the rule {config.chain.rule}",
                problem,
                "take more clients a round or fewer attackers, say in rule_params what it "
                "`withstands`, or choose another rule",
            )

    def _problem(self, f: int, clients: int) -> str:
        """Why f bad ones among so many updates are too many, in words; empty where they are not."""
        rows, of = clients, "updates"
        if self.params.pre_aggregation == "bucketing":
            rows, of = -(-clients // self.params.bucket), f"buckets of {clients} updates"
        if self.params.pre_aggregation == "nnm" and not 2 * f < clients:
            return f"nearest-neighbour mixing needs 2f < n, and f is {f} of n = {clients} updates"
        slope, offset = self.least
        if slope * f + offset < rows:
            return ""
        return f"it needs {self.least_word}, and f is {f} with n = {rows} {of}"


class KeptMessages(Combination):
    """Keeps all messages of a round.

    Attributes:
        parts: what it keeps, part by part.
    """

    def __init__(self, rule: RobustRule) -> None:
        self._rule = rule
        self.parts: dict[str, list[Part]] = {}

    def add(self, message: Message) -> None:
        """Keep a copy of the message's parts (``NotFiniteError`` where one is not finite)."""
        message.check_finite()
        for name, part in message.parts.items():
            known = self.parts.setdefault(name, [])
            if known:
                check_alike(message.client, name, part, known[0].value)
            known.append(replace(part, value=part.value.clone()))

    def total(self) -> dict[str, Total]:
        """What the rule makes of them."""
        return self._rule.total(self.parts)
