"""Links whose messages the server cannot read, and adds up all the same."""

from __future__ import annotations

import hashlib
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from medfl.chain import Combination, Link, Message, Sealed, Total
from medfl.errors import MedflError
from medfl.privacy.public_counts import public_gradients
from medfl.privacy.sealed.combination import SealedSum
from medfl.registry import HyperParams
from medfl.results.columns import Column

if TYPE_CHECKING:
    from medfl.chain.roles import Algorithm, Client, Server
    from medfl.config import FederatedConfig
    from medfl.privacy.sealed.fixed_point import FixedPoint
    from medfl.privacy.sealed.parts import EncodedMessage, PartPlace
    from medfl.privacy.sealed.ring import RingVector

log = logging.getLogger(__name__)

MANY = 0.01  # share of coordinates outside the bound that is warned of


class SealingLink(Link, ABC):
    """Base of the links under which the server has the sum of a round alone, or not even that.

    Updates are moved to ± bound coordinate by coordinate, and rounded without bias to whole
    numbers; those of all parts travel in one vector, with the weights. Where a round comes to no
    sum it is given up, and training goes on. Training losses stay with the clients, so
    ``train_loss`` is blank; and so are the steps, unless ``local_steps`` makes them the same for
    all, because whole passes tell how many samples a client has.
    """

    class Params(HyperParams):
        """How updates are written as whole numbers.

        bound: the largest size of a coordinate of an update; null switches the link off.
        bounds: part → its own bound, such as {statistics: 10.0}.
        weight_bits: bits of a weight; null: 1 under equal weights, else 12 of 32 or 26 of 64.
        weight_unit: weights are whole multiples of it; null: 1 of 32, 1/1024 of 64.
        value_bits: bits of a coordinate; null: what there is room for.
        """

        bound: float | None = Field(1.0, gt=0)
        bounds: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
        weight_bits: int | None = Field(None, ge=1)
        weight_unit: float | None = Field(None, gt=0)
        value_bits: int | None = Field(None, ge=2)

    stage = "mask"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("outside_bound", "Coordinates that were moved to the bound (%)", "%"),
        Column("given_up", "Rounds without a sum"),
    )

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._everyone = False
        self._given_up = False
        self._warned = False
        self._warned_of_bound = False

    @property
    def idle(self) -> bool:
        """Without a bound nothing is sealed."""
        return self.params.bound is None

    @property
    def effect(self) -> str:
        """Say what the bound and the rounding do."""
        return (
            f"coordinates of updates count for at most {self.params.bound:g}, and are rounded "
            "without bias"
        )

    def check(
        self, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
    ) -> None:
        """Refuse what needs single messages, and sums for which there is no room."""
        if config.chain.rule != "sum":
            raise MedflError(
                f"{self.name} gives the server no single message, and the rule "
                f"{config.chain.rule} needs each client's: leave one of them out."
            )
        for link in links:
            for place, what in (("together", "looks at"), ("combination", "sums")):
                if link is not self and getattr(type(link), place) is not getattr(Link, place):
                    raise MedflError(
                        f"{self.name} hides every message, and the link {link.name} {what} them: "
                        "leave one of them out."
                    )
        self._check_bounds(config, algorithm, config.federated_learning.local_steps)
        self._everyone = getattr(algorithm, "participation", "sampled") == "all"
        number = config.federated_learning.num_clients
        if number is not None:
            self.point_of(config, self._taking_part(config, number))

    def setup(self, server: Server) -> None:
        """Settle how numbers are written."""
        from medfl.privacy.sealed.parts import PartPoints

        config = server.config
        self._check_bounds(config, server.algorithm, max(server.local_steps.values()))
        self.hides_steps = config.federated_learning.local_steps is None
        taking_part = self._taking_part(config, server.num_clients)
        self._server = server
        self._points = PartPoints(self.point_of(config, taking_part), self.params.bounds)
        self._configuration = hashlib.sha256(config.model_dump_json().encode()).digest()

    def message(self, client: Client, message: Message) -> Message:
        """Put the sealed vector in the place of the parts.

        Raises:
            NotFiniteError: they are not finite, which nobody could see any more.
        """
        from medfl.privacy.sealed.parts import encode_parts

        message.check_finite()
        number = client.server.round
        unknown = sorted(set(self.params.bounds) - set(message.parts))
        if unknown and not self._warned:
            self._warned = True
            log.warning(
                "%s: bounds has %s, and clients send no such part: they send %s",
                self.name,
                ", ".join(unknown),
                ", ".join(message.parts),
            )
        encoded = encode_parts(
            message, self._points, lambda name: self.stream(number, client.id, name)
        )
        said = self.seal(client.id, encoded)
        message.notes["outside_bound"] = encoded.clipped
        sealed = Sealed((said, encoded.places), len(said))
        gradients = public_gradients(message, client.server)
        return replace(
            message,
            parts=encoded.parts,
            weight=1.0,
            loss=None,
            gradients=gradients,
            forwards=None,
            sealed=sealed,
        )

    def combination(self, number: int, inner: Combination) -> Combination:
        """Add sealed vectors, and open their sum."""
        return SealedSum(self, number)

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """Say what was clipped, and whether the round was given up."""
        found = super().row(notes)
        outside = found["outside_bound"] or 0.0
        if outside > MANY and not self._warned_of_bound:
            self._warned_of_bound = True
            log.warning(
                "%s: %.1f %% of the coordinates of the updates were outside their bound (%g) and "
                "moved to it, which makes other steps of them: raise bound, or the part's in "
                "bounds (outside_bound in rounds.csv has the share of each round)",
                self.name,
                100 * outside,
                self.params.bound,
            )
        return {**found, "given_up": float(self._given_up)}

    def add(self, message: Message) -> tuple[PartPlace, ...]:
        """Give the server a sealed vector; say what lies where in it."""
        assert message.sealed is not None
        places: tuple[PartPlace, ...]
        said, places = message.sealed.content
        self.take(said)
        return places

    def finish(self, number: int, places: Sequence[PartPlace]) -> dict[str, Total]:
        """The totals of the round; empty where it is given up."""
        from medfl.privacy.sealed.parts import decode_totals

        total = None if self._given_up else self.open_sum(number, places)
        return {} if total is None else decode_totals(total, places, self._points)

    def give_up(self, number: int, error: MedflError) -> list[int]:
        """Note that the round has no sum, and why; nobody takes part in it."""
        self._given_up = True
        log.warning("round %d is given up: %s", number, error)
        return []

    @abstractmethod
    def point_of(self, config: FederatedConfig, clients: int) -> FixedPoint:
        """How numbers are written (``MedflError`` where a sum of ``clients`` is not safe)."""

    @abstractmethod
    def seal(self, client: int, encoded: EncodedMessage) -> bytes:
        """What a client sends in the place of its whole numbers."""

    @abstractmethod
    def take(self, said: bytes) -> None:
        """Give the server what a client sent (``RefusedMessageError`` where it refuses it)."""

    @abstractmethod
    def open_sum(self, number: int, places: Sequence[PartPlace]) -> RingVector | None:
        """The sum of what was taken in; None where the round is given up."""

    def received(self) -> bytes:
        """The hash of all that the clients of a round receive, by which they know it for the same.

        It is of the model and of what the algorithm adds to it, such as SCAFFOLD's c: with another
        c than the others a client would take other steps, as with another model.
        """
        from medfl.privacy.sealed.model_hash import hash_of_tensors

        parts = self._server.download()
        return hash_of_tensors(*(parts[name].value for name in sorted(parts)))

    def _check_bounds(
        self, config: FederatedConfig, algorithm: type[Algorithm] | Algorithm, steps: int | None
    ) -> None:
        """Refuse bounds that a public part, which may not be moved to one, will be beyond."""
        name = config.federated_learning.algorithm
        for part, size in algorithm.public_parts(config, steps).items():
            own = self.params.bounds.get(part)
            if size <= (own or self.params.bound) or (own and math.isinf(size)):
                continue
            grows = f"comes to {size:g}, beyond its bound of {own or self.params.bound:g}"
            if math.isinf(size):
                grows = "grows with a client's local steps, which only the split tells"
            raise MedflError(
                f"{self.name}: the part `{part}` of {name} {grows}, and it is public, so that it "
                f"may not be moved to a bound. Give it one of its own: "
                f"bounds: {{{part}: {1000 if math.isinf(size) else math.ceil(size)}}}."
            )

    def _taking_part(self, config: FederatedConfig, number: int) -> int:
        """The most clients of one round, of ``number`` in all."""
        size = config.federated_learning.clients_per_round
        return number if size is None or self._everyone else min(size, number)
