"""A server and its clients, step by step, with all keys at hand: tests can play the liar."""

from __future__ import annotations

import numpy as np

from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind, seal
from medfl.privacy.sealed.payload import packed_pieces
from medfl.privacy.sealed.refusals import SERVER
from medfl.privacy.secure_aggregation import (
    AggregationClient,
    AggregationServer,
    KeyDirectory,
    ProtocolSettings,
    SigningIdentity,
    hash_of_model,
)
from medfl.privacy.secure_aggregation.survivors import STATEMENT_BYTES


def model(number: int) -> bytes:
    """The hash of the global model of a round."""
    return hash_of_model(str(number).encode())


class Hospitals:
    """``n`` clients, called 0, …, n − 1, and their server."""

    def __init__(self, n: int, settings: ProtocolSettings | None = None) -> None:
        self.settings = settings or ProtocolSettings()
        self.keys = {number: SigningIdentity(number) for number in range(SERVER, n)}
        public = {number: key.public for number, key in self.keys.items()}
        self.directory = KeyDirectory(public.pop(SERVER), public)
        self.server = AggregationServer(self.keys[SERVER], self.directory, self.settings)
        self.clients = {
            number: AggregationClient(self.keys[number], self.directory, self.settings)
            for number in range(n)
        }
        self.sent: list[bytes] = []

    def vectors(self, d: int = 7) -> dict[int, np.ndarray]:
        """One ring vector per client; entry k of client i is 1000 i + k + 1."""
        dtype = f"<u{self.settings.ring_bits // 8}"
        return {i: (1000 * i + np.arange(1, d + 1)).astype(dtype) for i in self.clients}

    def advertise(self, number: int = 1, who=None) -> bytes:
        """Opening and public keys; gives the roster."""
        opening = self.server.open(number, sorted(self.clients), model(number))
        for client in self._those(who):
            self.give(self.clients[client].advertise(opening, model(number)))
        return self.keep(self.server.roster())

    def share(self, number: int = 1, who=None) -> dict[int, bytes]:
        """All up to the shares; gives what is delivered to each client."""
        roster = self.advertise(number)
        for client in self._those(who):
            self.give(self.clients[client].share(roster))
        return {one: self.keep(text) for one, text in self.server.deliver().items()}

    def mask(self, number: int = 1, who=None, vectors=None) -> bytes:
        """All up to the masked vectors; gives the list of survivors."""
        delivered = self.share(number)
        for client in self._those(who):
            vector = (vectors or self.vectors())[client]
            self.give(self.clients[client].mask(delivered[client], vector))
        return self.keep(self.server.survivors())

    def confirm(self, number: int = 1, who=None) -> bytes:
        """All up to the confirmations; gives the request for shares."""
        survivors = self.mask(number, who)
        for client in self._those(who):
            self.give(self.clients[client].confirm(survivors))
        return self.keep(self.server.request())

    def finish(self, delivered: dict[int, bytes]) -> np.ndarray:
        """All after the shares, of which ``delivered`` reaches the clients; gives the sum."""
        for client, text in delivered.items():
            self.give(self.clients[client].mask(text, self.vectors()[client]))
        return self.reveal()

    def reveal(self) -> np.ndarray:
        """All after the masked vectors; gives the sum."""
        survivors = self.keep(self.server.survivors())
        for client in self.clients.values():
            self.give(client.confirm(survivors))
        request = self.keep(self.server.request())
        for client in self.clients.values():
            self.give(client.unmask(request))
        return self.server.finish()

    def run(self, fates: dict[int, int], number: int = 1, vectors=None) -> np.ndarray:
        """A whole round in which client i answers the first ``fates[i]`` of five messages."""
        vectors = vectors or self.vectors()
        opening = self.server.open(number, sorted(self.clients), model(number))
        alive = [[i for i, fate in fates.items() if fate >= step] for step in range(6)]
        for client in alive[1]:
            self.give(self.clients[client].advertise(opening, model(number)))
        roster = self.keep(self.server.roster())
        for client in alive[2]:
            self.give(self.clients[client].share(roster))
        delivered = self.server.deliver()
        for client in alive[3]:
            text = self.keep(delivered[client])
            self.give(self.clients[client].mask(text, vectors[client]))
        survivors = self.keep(self.server.survivors())
        for client in alive[4]:
            self.give(self.clients[client].confirm(survivors))
        request = self.keep(self.server.request())
        for client in alive[5]:
            self.give(self.clients[client].unmask(request))
        return self.server.finish()

    def give(self, message: bytes) -> None:
        """A client's message reaches the server."""
        self.server.receive(self.keep(message))

    def keep(self, message: bytes) -> bytes:
        """Write a message down."""
        self.sent.append(message)
        return message

    def forge(self, kind: MessageKind, *payload: bytes, sender: int = SERVER) -> bytes:
        """A message of the open round, rightly signed by ``sender``, with any payload."""
        return seal(self.keys[sender], kind, self.server._state.agreement.context, *payload)

    def listing(self, clients, digest: bytes | None = None) -> bytes:
        """A rightly signed list of survivors, in which all say that they saw these dealers."""
        digest = digest or self.server._state.dealers.digest
        statements = [self.forge(MessageKind.STATEMENT, digest, sender=i) for i in clients]
        return self.forge(MessageKind.SURVIVORS, packed_pieces(statements))

    def _those(self, who) -> list[int]:
        return sorted(self.clients if who is None else who)


def vector_in(message: bytes, dtype: str = "<u4") -> np.ndarray:
    """The masked vector in a client's message."""
    return np.frombuffer(message[OVERHEAD - 64 : -64 - STATEMENT_BYTES], dtype)


def changed(message: bytes, at: int) -> bytes:
    """The message with one bit of byte ``at`` flipped."""
    at %= len(message)
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


def payload_of(message: bytes) -> memoryview:
    """What a message says, without its head and its signature."""
    return memoryview(message)[OVERHEAD - 64 : -64]
