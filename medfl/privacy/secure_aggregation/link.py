"""Secure aggregation as a link: the server gets the sum of a round's messages alone. Bonawitz et
al., Practical Secure Aggregation for Privacy-Preserving Machine Learning, CCS 2017.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from medfl.chain import Combination, Link, Message, Sealed, Total
from medfl.errors import MedflError
from medfl.privacy.secure_aggregation.masked_sum import MaskedSum
from medfl.registry import HyperParams
from medfl.results.columns import Column

if TYPE_CHECKING:
    from medfl.chain.roles import Algorithm, Client, Server
    from medfl.config import FederatedConfig
    from medfl.privacy.secure_aggregation.fixed_point import FixedPoint
    from medfl.privacy.secure_aggregation.parts import PartPlace
    from medfl.privacy.secure_aggregation.settings import ProtocolSettings

log = logging.getLogger(__name__)


class SecureAggregation(Link):
    """Masks every message, so that no one sees it, and the sum of a round comes out exactly.

    Updates are moved to ± bound coordinate by coordinate, and rounded without bias to whole
    numbers; those of all parts travel in one vector, with the weights. Where fewer clients than
    the threshold are left, the round is given up and training goes on. Training losses stay with
    the clients, so ``train_loss`` is blank.
    """

    class Params(HyperParams):
        """How updates are written as whole numbers, and who must be there.

        bound: the largest size of a coordinate of an update; null switches the link off.
        bounds: part → its own bound, such as {statistics: 10.0}.
        colluding: how many clients may collude with the server without learning more.
        threshold: how many clients must stay until the end of a round; null: the least safe one.
        sparse: whether each client has masks in common with some others alone: for 100 and more.
        dropouts: share of the clients that may drop out, by chance, of a sparse graph.
        ring_bits: bits of a coordinate on the wire.
        weight_bits: bits of a weight; null: 1 under equal weights, else 12 of 32 or 26 of 64.
        weight_unit: weights are whole multiples of it; null: 1 of 32, 1/1024 of 64.
        value_bits: bits of a coordinate; null: what the ring leaves.
        """

        bound: float | None = Field(1.0, gt=0)
        bounds: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
        colluding: int = Field(0, ge=0)
        threshold: int | None = Field(None, ge=2)
        sparse: bool = False
        dropouts: float = Field(0.1, ge=0, lt=1)
        ring_bits: Literal[32, 64] = 32
        weight_bits: int | None = Field(None, ge=1)
        weight_unit: float | None = Field(None, gt=0)
        value_bits: int | None = Field(None, ge=2)

    stage = "mask"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("outside_bound", "Coordinates that were moved to the bound (%)", "%"),
        Column("given_up", "Rounds without a sum, as too few clients stayed"),
    )

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._everyone = False
        self._given_up = False

    @property
    def idle(self) -> bool:
        """Without a bound nothing is masked."""
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
        """Refuse what needs single messages, and sums that could leave the ring."""
        if config.chain.rule != "sum":
            raise MedflError(
                f"{self.name} gives the server the sum alone, and the rule {config.chain.rule} "
                "needs each client's message: leave one of them out."
            )
        for link in links:
            for place, what in (("together", "looks at"), ("combination", "sums")):
                if link is not self and getattr(type(link), place) is not getattr(Link, place):
                    raise MedflError(
                        f"{self.name} hides every message, and the link {link.name} {what} them: "
                        "leave one of them out."
                    )
        self._everyone = getattr(algorithm, "participation", "sampled") == "all"
        number = config.federated_learning.num_clients
        if number is not None:
            self._range(config, self._taking_part(config, number))

    def setup(self, server: Server) -> None:
        """Give every client and the server their keys."""
        from medfl.privacy.secure_aggregation.in_process import SimulatedAggregation
        from medfl.privacy.secure_aggregation.parts import PartPoints

        config = server.config
        taking_part = self._taking_part(config, server.num_clients)
        self._server = server
        self._points = PartPoints(self._range(config, taking_part), self.params.bounds)
        hashed = hashlib.sha256(config.model_dump_json().encode()).digest()
        self._settings = self._protocol(hashed)
        self._rounds = SimulatedAggregation(sorted(server.local_steps), self._settings)
        self._begun = False

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Let clients draw keys and deal shares; where they are too few, nobody takes part."""
        from medfl.privacy.secure_aggregation.parts import hash_of_tensors
        from medfl.privacy.secure_aggregation.refusals import RoundAbortedError

        self._given_up, self._rounds.transcript.sent = False, []
        model = hash_of_tensors(self._server.vector, self._server.buffers)
        self._remember(model)
        try:
            self._settings.threshold_of(len(clients))
        except MedflError as error:
            return self._give_up(number, error)
        try:
            return self._rounds.open(number, clients, model)
        except RoundAbortedError as error:
            return self._give_up(number, error)

    def message(self, client: Client, message: Message) -> Message:
        """Put the masked vector in the place of the parts."""
        from medfl.privacy.secure_aggregation.parts import encode_parts

        number = client.server.round
        encoded = encode_parts(
            message, self._points, lambda name: self.stream(number, client.id, name)
        )
        masked = self._rounds.mask(client.id, encoded.vector)
        message.notes["outside_bound"] = encoded.clipped
        sealed = Sealed((masked, encoded.places), len(masked))
        return replace(message, parts=encoded.parts, weight=1.0, loss=None, sealed=sealed)

    def combination(self, number: int, inner: Combination) -> Combination:
        """Add masked vectors, and take the masks off their sum."""
        return MaskedSum(self, number)

    def traffic(self, number: int, up: int, down: int) -> tuple[int, int]:
        """Count keys, shares, lists of survivors, confirmations and what takes masks off."""
        more_up, more_down = self._rounds.transcript.besides_vectors()
        return up + more_up, down + more_down

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """Say what was clipped, and whether the round was given up."""
        return {**super().row(notes), "given_up": float(self._given_up)}

    def record(self) -> dict[str, Any]:
        """What followed from the parameters."""
        point = self._points.usual
        return {
            "protocol": "Bonawitz et al. 2017, against a malicious server",
            "threshold": self._settings.threshold_of(point.clients),
            "clients_per_round": point.clients,
            "colluding": self.params.colluding,
            "shares": self._settings.share_threshold_of(point.clients),
            "value_bits": point.value_bits,
            "weight_bits": point.weight_bits,
            "ring_bits": point.ring_bits,
        }

    def add(self, message: Message) -> tuple[PartPlace, ...]:
        """Give the server a masked vector; say what lies where in it."""
        assert message.sealed is not None
        places: tuple[PartPlace, ...]
        masked, places = message.sealed.content
        self._rounds.add(masked)
        return places

    def finish(self, number: int, places: Sequence[PartPlace]) -> dict[str, Total]:
        """The totals of the round; empty where it is given up."""
        from medfl.privacy.secure_aggregation.parts import decode_totals
        from medfl.privacy.secure_aggregation.refusals import RoundAbortedError

        if self._given_up:
            return {}
        try:
            total = self._rounds.finish()
        except RoundAbortedError as error:
            self._give_up(number, error)
            return {}
        self._note_survivors(self._rounds.survivors)
        return decode_totals(total, places, self._points)

    def _give_up(self, number: int, error: MedflError) -> list[int]:
        self._given_up = True
        log.warning("round %d is given up: %s", number, error)
        return []

    def _remember(self, model: bytes) -> None:
        """Go on from the sums of this model that were revealed before the run was stopped."""
        import torch

        told = self.state.get("model")
        if told is None or bytes(told.tolist()) != model:
            self.state["model"] = torch.tensor(list(model), dtype=torch.uint8)
            self.state["sums"] = torch.zeros(0, len(self._rounds.clients), dtype=torch.bool)
        if not self._begun:
            numbers = sorted(self._rounds.clients)
            for inside in self.state["sums"].tolist():
                present = [client for client, there in zip(numbers, inside, strict=True) if there]
                for client in present:
                    self._rounds.clients[client].released.add(model, present)
        self._begun = True

    def _note_survivors(self, present: Sequence[int]) -> None:
        """Remember, in the checkpoint too, whose sum was revealed."""
        import torch

        inside = [[client in present for client in sorted(self._rounds.clients)]]
        self.state["sums"] = torch.cat([self.state["sums"], torch.tensor(inside)])

    def _taking_part(self, config: FederatedConfig, number: int) -> int:
        """The most clients of one round, of ``number`` in all."""
        size = config.federated_learning.clients_per_round
        return number if size is None or self._everyone else min(size, number)

    def _range(self, config: FederatedConfig, clients: int) -> FixedPoint:
        """How numbers are written (``MedflError`` where a sum of ``clients`` is not safe)."""
        from medfl.privacy.secure_aggregation.bits import fixed_point_of

        self._protocol().share_threshold_of(clients)
        return fixed_point_of(self.params, config.federated_learning.weighting, clients)

    def _protocol(self, configuration: bytes = b"") -> ProtocolSettings:
        from medfl.privacy.secure_aggregation.settings import ProtocolSettings

        p = self.params
        return ProtocolSettings(
            p.colluding, p.threshold, p.ring_bits, p.sparse, p.dropouts, configuration
        )
