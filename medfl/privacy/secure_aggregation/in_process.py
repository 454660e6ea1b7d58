"""A server and its clients in one process. They still exchange nothing but signed messages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from medfl.privacy.sealed.envelope import MessageKind
from medfl.privacy.sealed.given import check_clients, check_whole
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError
from medfl.privacy.sealed.ring import RingVector
from medfl.privacy.secure_aggregation.client import AggregationClient
from medfl.privacy.secure_aggregation.refusals import RoundAbortedError
from medfl.privacy.secure_aggregation.server import AggregationServer
from medfl.privacy.secure_aggregation.settings import WHERE, ProtocolSettings
from medfl.privacy.secure_aggregation.transcript import Transcript


class SimulatedAggregation:
    """Runs rounds of secure aggregation: ``open``, then ``mask`` and ``add``, then ``finish``.

    Long-term keys are drawn at its creation. Sums are exact, so they are the same whichever keys
    were drawn.

    Args:
        clients: the numbers of all clients of the federation.
        settings: what all agree on.
        transcript: where messages are written down, if anywhere.

    Attributes:
        server: the server.
        clients: number → client.
        survivors: who is in the sum of the round, in the order of their vectors.
        refusals: what was refused in the round that is open, or was last.
    """

    def __init__(
        self,
        clients: Collection[int],
        settings: ProtocolSettings,
        transcript: Transcript | None = None,
    ) -> None:
        check_clients(WHERE, clients)
        keys = {number: SigningIdentity(number) for number in (SERVER, *clients)}
        public = {number: key.public for number, key in keys.items()}
        directory = KeyDirectory(public.pop(SERVER), public)
        self.server = AggregationServer(keys[SERVER], directory, settings)
        self.clients = {
            number: AggregationClient(keys[number], directory, settings) for number in clients
        }
        self.transcript = Transcript(keep=False) if transcript is None else transcript
        self.refusals: list[RefusedMessageError] = []
        self._number = 0
        self._deliveries: dict[int, bytes] = {}
        self.survivors: list[int] = []

    def open(
        self,
        number: int,
        clients: Collection[int],
        model: bytes,
        length: int | None = None,
        gone: Collection[int] = (),
    ) -> list[int]:
        """Open a round: its clients draw keys and deal shares.

        Args:
            number: of the round, above that of the last one.
            clients: who takes part.
            model: hash of the global model, which all clients have received (``hash_of_model``).
            length: how many entries a vector has; None takes that of the first one.
            gone: who does not answer any more.

        Returns:
            The clients that may mask a vector, ascending.

        Raises:
            RoundAbortedError: they are fewer than the threshold.
        """
        check_clients(WHERE, clients)
        check_clients(f"{WHERE}, who is gone", gone)
        self.refusals = []
        self._number, self.survivors = number, []
        chosen = sorted(set(clients) - set(gone))
        opening = self.server.open(number, sorted(clients), model, length)
        heard = self._ask(
            chosen, MessageKind.OPENING, opening, lambda one, text: one.advertise(text, model)
        )
        with self._explained():
            roster = self.server.roster()
        heard = self._ask(heard, MessageKind.ROSTER, roster, AggregationClient.share)
        with self._explained():
            self._deliveries = self.server.deliver()
        for client, delivery in self._deliveries.items():
            self.transcript.add(MessageKind.DELIVERY, SERVER, client, delivery)
        return heard

    def mask(self, client: int, vector: RingVector) -> bytes:
        """What ``client`` sends in place of ``vector``, (d,) integers of the ring."""
        check_whole(WHERE, client=client)
        if client not in self._deliveries:
            raise RefusedMessageError(
                SERVER, f"round {self._number} has no shares for client {client}"
            )
        return self.clients[client].mask(self._deliveries[client], vector)

    def add(self, message: bytes) -> int:
        """Add a masked vector to the server's sum, and say whose it is."""
        sender = self.server.receive(message)
        self.transcript.add(MessageKind.MASKED, sender, SERVER, message)
        self.survivors.append(sender)
        return sender

    def finish(self, gone: Collection[int] = ()) -> RingVector:
        """The sum of the vectors that were added, (d,) integers of the ring.

        Args:
            gone: who does not answer any more; their vectors are in the sum all the same.

        Raises:
            RoundAbortedError: fewer clients than the threshold are left.
        """
        self._deliveries = {}
        with self._explained():
            listed = self.server.survivors()
        left = [client for client in sorted(self.survivors) if client not in gone]
        heard = self._ask(left, MessageKind.SURVIVORS, listed, AggregationClient.confirm)
        with self._explained():
            request = self.server.request()
        self._ask(heard, MessageKind.REQUEST, request, AggregationClient.unmask)
        with self._explained():
            return self.server.finish()

    def _ask(
        self,
        clients: Collection[int],
        kind: MessageKind,
        message: bytes,
        answer: Callable[[AggregationClient, bytes], bytes],
    ) -> list[int]:
        """Give each client a message, and the server the answers; say who is left."""
        left = []
        for number in clients:
            self.transcript.add(kind, SERVER, number, message)
            try:
                said = answer(self.clients[number], message)
                self.transcript.add(MessageKind(said[8]), number, SERVER, said)
                self.server.receive(said)
            except RefusedMessageError as refusal:
                self.refusals.append(refusal)
                continue
            left.append(number)
        return left

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Where a step of the server aborts the round, the first refusal is told, too."""
        try:
            yield
        except RoundAbortedError as error:
            if not self.refusals:
                raise
            reason = f"{error.reason} ({self.refusals[0].reason})"
            raise RoundAbortedError(error.number, reason) from error
