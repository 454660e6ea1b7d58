"""The messages of a round: clients train, and those whose message is finite answer, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from medfl.chain import Message, NotFiniteError, Part, Total, Work
from medfl.federated.client import FederatedClient
from medfl.federated.own_state import OwnState
from medfl.federated.server import FederatedServer
from medfl.federated.tally import Tally
from medfl.federated.workers import in_worker
from medfl.models.flat import FlatModel

Outcome = tuple[Message, Work] | NotFiniteError
"""What training one client came to."""


class Answers:
    """What the clients of one round answer, and what becomes of them afterwards.

    Args:
        server: the server, whose round is open.
        chosen: the clients of the round.
        download: what the server sent to each of them.

    Attributes:
        tally: what the messages come to.
    """

    def __init__(
        self,
        server: FederatedServer,
        chosen: Sequence[FederatedClient],
        download: Mapping[str, Part],
    ) -> None:
        self.tally = Tally()
        self._server, self._chosen, self._download = server, chosen, download
        # Where a round may still be given up, what a client keeps of it is put off.
        self._waiting: dict[int, Work] = {}

    def messages(self) -> Iterator[Message]:
        """The messages that may be combined, as links leave them, in the order of the clients."""
        answers = self._trained()
        together = self._server.chain.together(self._server.round, answers)
        for message in together:
            if together is not answers and not self._finite(message):
                continue
            self.tally.combined(message)
            yield message

    def settle(self, total: Mapping[str, Total]) -> None:
        """Let clients whose state was put off keep it, unless the round came to nothing."""
        for client in self._chosen:
            if client.id not in self._waiting:
                continue
            if total and client.id not in self.tally.refused:
                client.answered(self._waiting[client.id])
            else:
                client.forget()

    def _trained(self) -> Iterator[Message]:
        """What the clients send, in their order; one whose message is not finite drops out."""
        server = self._server
        for client, found in self._outcomes():
            try:
                if isinstance(found, NotFiniteError):
                    raise found
                message, work = found
                sent = server.chain.message(client, message)
                if sent is not None and server.chain.links:  # which may have made it so
                    sent.check_finite()
            except NotFiniteError as problem:
                self._refuse(client, problem)
                continue
            if sent is not None:
                server.algorithm.sent(client, sent, work)
                if server.chain.seals:
                    self._waiting[client.id] = work
                else:
                    client.answered(work)
                self.tally.sent(sent)
                yield sent.travelling

    def _outcomes(self) -> Iterator[tuple[FederatedClient, Outcome]]:
        """What training each client came to, in their order."""
        workers, chosen = self._server.workers, self._chosen
        expected = sum(part.value.nbytes for part in self._download.values())
        own = OwnState(self._server)
        at_once = workers.room(expected) if own.parts else max(1, len(chosen))
        for first in range(0, len(chosen), at_once):
            clients = chosen[first : first + at_once]
            lengths = [self._length(client) for client in clients]
            spread = workers.spread(self._train, clients, lengths, _size, expected)
            outcomes: Iterator[tuple[FederatedClient, Outcome]] = zip(clients, spread, strict=True)
            if own.parts:  # they are compared before a hook is called that is one at a time
                with own.unchanged():
                    outcomes = iter(list(outcomes))
            yield from outcomes

    def _length(self, client: FederatedClient) -> int:
        """How long a client trains, in samples of its steps."""
        server = self._server
        size = min(server.config.training.batch_size, len(client.rows))
        return server.work.steps(client.id, server.round) * size

    def _train(self, client: FederatedClient, model: FlatModel) -> Outcome:
        """Train a client in a network that the next client overwrites."""
        try:
            message, work = client.train(model, self._download)
        except NotFiniteError as problem:
            return problem
        return _apart(message, work, model) if in_worker() else (message, work)

    def _finite(self, message: Message) -> bool:
        """Whether a message is finite that links saw together with the others."""
        try:
            message.check_finite()
        except NotFiniteError as problem:
            self._refuse(next(c for c in self._chosen if c.id == message.client), problem)
            return False
        return True

    def _refuse(self, client: FederatedClient, problem: NotFiniteError) -> None:
        client.refuse()
        self.tally.refused[client.id] = str(problem)


def _apart(message: Message, work: Work, model: FlatModel) -> tuple[Message, Work]:
    """The same without the network's own memory: each vector of it is copied once.

    All others stay the objects that they are, by which an algorithm knows its own again.
    """
    copies: dict[int, Tensor] = {}

    def kept(tensor: Tensor) -> Tensor:
        if not model.holds(tensor):
            return tensor
        if id(tensor) not in copies:
            copies[id(tensor)] = tensor.clone()
        return copies[id(tensor)]

    parts = {name: replace(part, value=kept(part.value)) for name, part in message.parts.items()}
    extras = {name: kept(tensor) for name, tensor in work.extras.items()}
    return replace(message, parts=parts), replace(work, extras=extras)


def _size(outcome: Outcome) -> int:
    """Bytes of what waits for the turn of its client."""
    if isinstance(outcome, NotFiniteError):
        return 0
    message, work = outcome
    waiting = [*(part.value for part in message.parts.values()), *work.extras.values()]
    return sum({id(tensor): tensor.nbytes for tensor in waiting}.values())
