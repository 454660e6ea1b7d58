"""The messages of a round: clients train, and those whose message is finite answer, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from medfl.chain import Message, NotFiniteError, Total, Work
from medfl.federated.client import FederatedClient
from medfl.federated.client_training import ClientTraining, Outcome
from medfl.federated.own_algorithm import hooks_of
from medfl.federated.own_training import check_trained
from medfl.federated.server import FederatedServer
from medfl.federated.tally import Tally


class Answers:
    """What the clients of one round answer, and what becomes of them afterwards.

    Args:
        server: the server, whose round is open.
        chosen: the clients of the round.
        training: how they train, from what the server sent to each of them.

    Attributes:
        tally: what the messages come to.
    """

    def __init__(
        self,
        server: FederatedServer,
        chosen: Sequence[FederatedClient],
        training: ClientTraining,
    ) -> None:
        self.tally = Tally()
        self._server, self._chosen, self._training = server, chosen, training
        # Where a round may still be given up, what a client keeps of it is put off.
        self._waiting: dict[int, Work] = {}
        self._batches: list[int] = []  # of those that answer, on how many each has trained

    def messages(self) -> Iterator[Message]:
        """The messages that may be combined, as links leave them, in the order of the clients."""
        answers, algorithm = self._trained(), hooks_of(self._server.algorithm)
        together = self._server.chain.together(self._server.round, answers)
        given: Iterable[Message]
        given = (one for one in together if together is answers or self._finite(one))
        if algorithm.sees_messages:
            given = algorithm.weigh([message.copy() for message in given])
        for message in given:
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
        server, chosen = self._server, self._chosen
        lengths = [self._length(client) for client in chosen]
        expected = sum(part.value.nbytes for part in self._training.download.values())
        ids = [client.id for client in chosen]
        outcomes = server.workers.spread(self._training, ids, lengths, expected)
        for client, found in zip(chosen, outcomes, strict=True):
            message = self._taken(client, found)
            if message is not None:
                yield message
            client.leave()
        check_trained(server.algorithm, self._batches)

    def _taken(self, client: FederatedClient, found: Outcome) -> Message | None:
        """What a client's training came to, as it travels; None where the client drops out."""
        server = self._server
        try:
            if isinstance(found, NotFiniteError):
                raise found
            message, work = found
            sent = server.chain.message(client, message)
            if sent is not None and server.chain.links:  # which may have made it so
                sent.check_finite()
        except NotFiniteError as problem:
            self._refuse(client, problem)
            return None
        if sent is None:
            return None
        hooks_of(server.algorithm).sent(client, sent, work)
        self._batches.append(work.steps + work.gradients + work.forwards)
        if server.chain.may_give_up:
            client.put_aside()
            self._waiting[client.id] = replace(work, extras={})  # which may be large
        else:
            client.answered(work)
        self.tally.sent(sent)
        return sent.travelling

    def _length(self, client: FederatedClient) -> int:
        """How long a client trains, in samples of its steps."""
        server = self._server
        size = min(server.config.training.batch_size, len(client.rows))
        return server.work.steps(client.id, server.round) * size

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
