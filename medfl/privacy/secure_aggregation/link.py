"""Secure aggregation as a link: the server gets the sum of a round's messages alone. Bonawitz et
al., Practical Secure Aggregation for Privacy-Preserving Machine Learning, CCS 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from medfl.errors import MedflError
from medfl.privacy.sealed.link import SealingLink

if TYPE_CHECKING:
    from medfl.chain.roles import Server
    from medfl.config import FederatedConfig
    from medfl.privacy.sealed.fixed_point import FixedPoint
    from medfl.privacy.sealed.parts import EncodedMessage, PartPlace
    from medfl.privacy.sealed.ring import RingVector
    from medfl.privacy.secure_aggregation.settings import ProtocolSettings


class SecureAggregation(SealingLink):
    """Masks every message, so that no one sees it, and the sum of a round comes out exactly.

    Where fewer clients than the threshold are left, the round is given up.
    """

    class Params(SealingLink.Params):
        """How updates are written as whole numbers, and who must be there.

        colluding: how many clients may collude with the server without learning more.
        threshold: how many clients must stay until the end of a round; null: the least safe one.
        sparse: whether each client has masks in common with some others alone: for 100 and more.
        dropouts: share of the clients that may drop out, by chance, of a sparse graph.
        ring_bits: bits of a coordinate on the wire.
        """

        colluding: int = Field(0, ge=0)
        threshold: int | None = Field(None, ge=2)
        sparse: bool = False
        dropouts: float = Field(0.1, ge=0, lt=1)
        ring_bits: Literal[32, 64] = 32

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._threshold: int | None = self.params.threshold

    def hold_to(self, threshold: int) -> None:
        """Give up rounds of fewer than ``threshold`` clients, also where fewer are opened.

        Noise that clients share is made for so many of them. To be called before ``setup``.
        """
        self._threshold = threshold

    def setup(self, server: Server) -> None:
        """Give every client and the server their keys."""
        from medfl.privacy.secure_aggregation.in_process import SimulatedAggregation

        super().setup(server)
        self._settings = self._protocol(self._configuration)
        self._rounds = SimulatedAggregation(sorted(server.local_steps), self._settings)
        self._begun = False

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Let clients draw keys and deal shares; where they are too few, nobody takes part."""
        from medfl.privacy.secure_aggregation.refusals import RoundAbortedError

        self._given_up, self._rounds.transcript.sent = False, []
        model = self.received()
        self._remember(model)
        if not clients:  # whose budgets are spent, as the log says already
            self._given_up = True
            return []
        try:
            self._settings.threshold_of(len(clients))
        except MedflError as error:
            return self.give_up(number, error)
        try:
            return self._rounds.open(number, clients, model)
        except RoundAbortedError as error:
            return self.give_up(number, error)

    def seal(self, client: int, encoded: EncodedMessage) -> bytes:
        """The masked vector."""
        return self._rounds.mask(client, encoded.vector)

    def take(self, said: bytes) -> None:
        """Add a masked vector to the server's sum."""
        self._rounds.add(said)

    def open_sum(self, number: int, places: Sequence[PartPlace]) -> RingVector | None:
        """Take the masks off."""
        from medfl.privacy.secure_aggregation.refusals import RoundAbortedError

        try:
            total = self._rounds.finish()
        except RoundAbortedError as error:
            self.give_up(number, error)
            return None
        self._note_survivors(self._rounds.survivors)
        return total

    def traffic(self, number: int, up: int, down: int) -> tuple[int, int]:
        """Count keys, shares, lists of survivors, confirmations and what takes masks off."""
        more_up, more_down = self._rounds.transcript.besides_vectors()
        return up + more_up, down + more_down

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

    def point_of(self, config: FederatedConfig, clients: int) -> FixedPoint:
        """How numbers are written (``MedflError`` where a sum of ``clients`` is not safe)."""
        from medfl.privacy.sealed.bits import fixed_point_of

        self._protocol().share_threshold_of(clients)
        weighting = config.federated_learning.weighting
        return fixed_point_of(self.params, weighting, clients, self.params.ring_bits)

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

    def _protocol(self, configuration: bytes = b"") -> ProtocolSettings:
        from medfl.privacy.secure_aggregation.settings import ProtocolSettings

        p = self.params
        return ProtocolSettings(
            p.colluding, self._threshold, p.ring_bits, p.sparse, p.dropouts, configuration
        )
