"""Secure aggregation in a few lines: updates in, their weighted mean out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError
from medfl.privacy.sealed.fixed_point import Encoded, FixedPoint
from medfl.privacy.sealed.given import check_by_client, check_whole, told_as
from medfl.privacy.sealed.link import MANY
from medfl.privacy.sealed.model_hash import hash_of_model
from medfl.privacy.sealed.ring import RingVector
from medfl.privacy.secure_aggregation.in_process import SimulatedAggregation
from medfl.privacy.secure_aggregation.settings import WHERE, ProtocolSettings

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


class SecureAggregator:
    """The weighted mean of clients' updates, of which the server sees no single one.

    Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine Learning, CCS 2017,
    against a server that may lie. Clients and server are objects of this process; across machines
    use ``AggregationServer`` and ``AggregationClient``, which exchange bytes.

    Args:
        clients: n, how many clients there are; they are called 0, …, n − 1.
        bound: no coordinate of an update counts for more than this; others are moved to it.
        colluding: how many clients may collude with the server without learning more.
        threshold: how many clients must stay until the end; None takes the least that is safe.
        value_bits: bits of one coordinate.
        weight_bits: bits of one weight: the largest is 2^weight_bits − 1.
        ring_bits: bits of one coordinate on the wire, 32 or 64.
        sparse: whether each client has masks in common with some of the others alone, which is
            faster above about 100 clients.
        seed: of the random rounding. The keys are never drawn from it.

    Attributes:
        clipped: client → share of the coordinates of its last update that were outside ± bound.
            More than 1 % are warned of.

    Raises:
        MedflError: sums could leave the ring, or no threshold protects so few clients.
    """

    def __init__(
        self,
        clients: int,
        bound: float = 1.0,
        *,
        colluding: int = 0,
        threshold: int | None = None,
        value_bits: int = FixedPoint.value_bits,
        weight_bits: int = FixedPoint.weight_bits,
        ring_bits: int = FixedPoint.ring_bits,
        sparse: bool = False,
        seed: int = 0,
    ) -> None:
        check_whole(WHERE, clients=clients, seed=seed)
        self.fixed_point = FixedPoint(bound, clients, value_bits, weight_bits, ring_bits)
        written = repr(self.fixed_point).encode()
        settings = ProtocolSettings(colluding, threshold, ring_bits, sparse, configuration=written)
        settings.share_threshold_of(clients)
        self.rounds = SimulatedAggregation(range(clients), settings)
        self.clipped: dict[int, float] = {}
        self._seed = seed
        self._number = 0

    def aggregate(
        self,
        updates: Mapping[int, torch.Tensor | NDArray[np.floating[Any]]],
        weights: Mapping[int, float] | None = None,
        model: NDArray[np.floating[Any]] | None = None,
    ) -> tuple[NDArray[np.float64], float]:
        """Run one round.

        Args:
            updates: client → its update, (d,). A client that is missing has dropped out.
            weights: client → its weight, such as its number of samples; None weighs all alike.
            model: the global model that the updates start from. Two sums of the same model that
                differ by one client are refused, as they would give its update away.

        Returns:
            Σ w v / Σ w, (d,), to within n times ``fixed_point.step`` over Σ w, and Σ w.

        Raises:
            MedflError: an update is not finite, of another length than the others, or its weight
                is out of range.
            RoundAbortedError: too few clients are there.
        """
        check_by_client(WHERE, "updates", updates)
        if weights is not None:
            check_by_client(WHERE, "weights", weights)
        number = self._number + 1
        start = _hash_of([number] if model is None else model)
        vectors: dict[int, RingVector] = {}
        for client, update in updates.items():
            if client not in self.rounds.clients:
                raise MedflError(
                    f"secure aggregation: there is no client {client}; they are 0 to "
                    f"{len(self.rounds.clients) - 1}."
                )
            if weights is not None and client not in weights:
                raise MedflError(f"secure aggregation: client {client} has no weight.")
            weight = 1.0 if weights is None else weights[client]
            encoded = self._encode(number, client, update, weight)
            length = len(next(iter(vectors.values()), encoded.vector))
            if len(encoded.vector) != length:
                raise MedflError(
                    f"secure aggregation: the update of client {client} has "
                    f"{len(encoded.vector) - 1} entries, and those before it have {length - 1}."
                )
            vectors[client] = encoded.vector
            self.clipped[client] = encoded.clipped
        self._warn_of_the_bound(vectors)
        self._number = number
        self.rounds.open(number, sorted(self.rounds.clients), start)
        for client, vector in sorted(vectors.items()):
            self.rounds.add(self.rounds.mask(client, vector))
        return self.fixed_point.decode(self.rounds.finish())

    def _warn_of_the_bound(self, clients: Iterable[int]) -> None:
        """Say whose updates are cut so much that the mean is another one."""
        cut = [str(client) for client in clients if self.clipped[client] > MANY]
        if cut:
            log.warning(
                "%s: more than 1 %% of the coordinates of the updates of %s were outside ± %g and "
                "moved there, so this is not the mean of the updates: raise bound",
                WHERE,
                ", ".join(cut),
                self.fixed_point.bound,
            )

    def _encode(
        self,
        number: int,
        client: int,
        update: torch.Tensor | NDArray[np.floating[Any]],
        weight: float,
    ) -> Encoded:
        """One client's update as whole numbers; what is wrong with it is said with its number."""
        from medfl.streams import stream_seed

        seed = stream_seed(self._seed, "secure aggregation", number, client)
        try:
            return self.fixed_point.encode(update, weight, np.random.default_rng(seed))
        except MedflError as error:
            raise MedflError(
                f"{error} It is client {client}'s: leave it out of `updates`, and the others have "
                "their mean."
            ) from error


def _hash_of(model: Any) -> bytes:
    """The hash of an array; that of objects would be of their places in memory."""
    try:
        values = np.ascontiguousarray(model)
    except (TypeError, ValueError):
        values = np.empty(0, object)
    if values.dtype.kind not in "iuf":
        raise MedflError(f"{WHERE}: model must be an array of numbers, not {told_as(model)}.")
    return hash_of_model(values.data)
