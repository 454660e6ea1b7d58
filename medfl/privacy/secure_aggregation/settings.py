"""What server and clients must have agreed on before any message, and what a round adds to it."""

from __future__ import annotations

import hashlib
import math
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from medfl.errors import MedflError
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.given import check_bytes, check_flag, check_number, check_whole
from medfl.privacy.sealed.model_hash import HASH_BYTES
from medfl.privacy.sealed.payload import PayloadReader, packed, packed_list
from medfl.privacy.sealed.refusals import RefusedMessageError
from medfl.privacy.sealed.ring import ring_dtype

if TYPE_CHECKING:
    from medfl.privacy.secure_aggregation.graph import SparseGraph

WHERE = "secure aggregation"  # as errors begin
SESSION_BYTES = HASH_BYTES


def new_session() -> bytes:
    """A name that no other session has, from the system's generator."""
    return secrets.token_bytes(SESSION_BYTES)


def fewest_present(clients: int, colluding: int) -> int:
    """The least threshold t with 2t > n + c, for n clients of which c collude with the server."""
    return (clients + colluding) // 2 + 1


@dataclass(frozen=True)
class ProtocolSettings:
    """The settings of secure aggregation, the same for the server and for every client.

    Attributes:
        colluding: c, the largest number of clients that are assumed to collude with the server.
        threshold: t, how many clients must be there until the end of a round; None takes the least
            that is safe, ⌊(n + c)/2⌋ + 1.
        ring_bits: sums are made modulo 2^ring_bits, 32 or 64.
        sparse: whether each client has masks and shares in common with some of the others alone,
            drawn anew each round, which is faster above about 100 clients.
        dropouts: share of the clients whose dropping out, by chance, must not make a round fail.
            The sparse graph is laid out for it; in the complete one all but t may drop out.
        configuration: what else must be the same for everybody, such as the hash of a run's
            configuration; it goes into every key.

    Raises:
        MedflError: a setting is out of its range.
    """

    colluding: int = 0
    threshold: int | None = None
    ring_bits: int = 32
    sparse: bool = False
    dropouts: float = 0.1
    configuration: bytes = b""

    def __post_init__(self) -> None:
        check_whole(WHERE, colluding=self.colluding, ring_bits=self.ring_bits)
        if self.threshold is not None:
            check_whole(WHERE, threshold=self.threshold)
        check_flag(WHERE, sparse=self.sparse)
        check_number(WHERE, dropouts=self.dropouts)
        check_bytes(WHERE, configuration=self.configuration)
        ring_dtype(self.ring_bits)
        if self.colluding < 0:
            raise MedflError(f"colluding must be 0 or more, not {self.colluding}.")
        if not 0 <= self.dropouts < 1:
            raise MedflError(f"dropouts must be from 0 to below 1, not {self.dropouts}.")

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that differ where a setting differs."""
        numbers = packed(self.colluding, self.threshold or 0, self.ring_bits, self.sparse)
        text = b"medfl settings" + numbers + struct.pack("<d", self.dropouts)
        return hashlib.sha256(text + self.configuration).digest()

    def threshold_of(self, clients: int) -> int:
        """The threshold t of a round that ``clients`` take part in.

        Raises:
            MedflError: no threshold protects so few clients, or the one that was set does not.
        """
        where = f"secure aggregation of {clients} clients, of which {self.colluding} may collude"
        if clients < FEWEST_CLIENTS:
            raise MedflError(
                f"{where}: at least {FEWEST_CLIENTS} must take part. Of two, each could read the "
                "other's update from the sum."
            )
        least = fewest_present(clients, self.colluding)
        threshold = least if self.threshold is None else self.threshold
        if threshold < least:
            raise MedflError(
                f"{where}: a threshold of {threshold} lets the server read single updates. It "
                f"must be at least {least}, so that 2t > n + c."
            )
        if threshold > clients:
            raise MedflError(
                f"{where}: a threshold of {threshold} can never be reached. Let more clients take "
                "part, or lower colluding or threshold."
            )
        if threshold - self.colluding < 2:
            raise MedflError(
                f"{where}: the sum of {threshold} could hold one honest client alone. Let more "
                "clients take part, raise threshold, or lower colluding."
            )
        return threshold

    def share_threshold_of(self, clients: int) -> int:
        """How many shares give a seed back, in a round of ``clients``."""
        return self._graph(clients).shares if self.sparse else self.threshold_of(clients)

    def choose_holders(self, client: int, clients: Sequence[int]) -> list[int]:
        """Who of a round's ``clients`` is to hold shares of one's seeds, ascending; itself too.

        In the sparse graph they are drawn from all, whether they are still there or not: so the
        server cannot choose among whom.
        """
        if not self.sparse:
            return sorted(clients)
        others = [other for other in clients if other != client]
        drawn = secrets.SystemRandom().sample(others, self._graph(len(clients)).neighbours)
        return sorted([client, *drawn])

    def _graph(self, clients: int) -> SparseGraph:
        from medfl.privacy.secure_aggregation.graph import sparse_graph

        threshold = self.threshold_of(clients)
        return sparse_graph(clients, self.colluding, threshold, math.ceil(self.dropouts * clients))


@dataclass(frozen=True)
class RoundAgreement:
    """What names a round. All keys of the round depend on all of it.

    Attributes:
        session: of the server's start, 32 random bytes.
        number: of the round; it rises from round to round.
        clients: those who take part, ascending.
        model: hash of the global model of the round, 32 bytes.
        settings: digest of the settings, 32 bytes.
    """

    session: bytes
    number: int
    clients: tuple[int, ...]
    model: bytes
    settings: bytes
    packed: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.model) != HASH_BYTES:
            raise MedflError(
                f"the hash of the global model must have {HASH_BYTES} bytes, not "
                f"{len(self.model)}: take that of `hash_of_model`."
            )
        if list(self.clients) != sorted(set(self.clients)) or not all(
            client >= 0 for client in self.clients
        ):
            raise MedflError(
                "the clients of a round must be numbers from 0 on, ascending, and each there once."
            )
        written = packed(self.number) + packed_list(self.clients)
        object.__setattr__(self, "packed", self.session + self.model + self.settings + written)

    @cached_property
    def members(self) -> frozenset[int]:
        """The clients, to be looked up."""
        return frozenset(self.clients)

    @cached_property
    def context(self) -> bytes:
        """32 bytes that stand in every message of the round."""
        return hashlib.sha256(b"medfl round" + self.packed).digest()

    @classmethod
    def read(cls, payload: memoryview, sender: int) -> RoundAgreement:
        """Read it from the payload of an opening (``RefusedMessageError`` where that is none)."""
        reader = PayloadReader(payload, sender)
        session, model, settings = (reader.take(HASH_BYTES) for _ in range(3))
        number, clients = reader.number(), reader.numbers()
        reader.end()
        if clients and clients[0] < 0:
            raise RefusedMessageError(sender, "it calls a client by a negative number")
        return cls(session, number, clients, model, settings)
