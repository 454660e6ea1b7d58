"""The server's side: it hands messages on, adds masked vectors, and takes the masks off the sum."""

from __future__ import annotations

from collections.abc import Collection

from medfl.errors import MedflError
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.envelope import Buffer, MessageKind, seal
from medfl.privacy.sealed.given import check_bytes, check_clients, check_kind, check_whole
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.payload import (
    packed,
    packed_pieces,
)
from medfl.privacy.sealed.refusals import RefusedMessageError
from medfl.privacy.sealed.ring import RingVector, apply_masks, ring_dtype
from medfl.privacy.secure_aggregation.dealers import read_dealers
from medfl.privacy.secure_aggregation.refusals import RoundAbortedError
from medfl.privacy.secure_aggregation.roster import Roster
from medfl.privacy.secure_aggregation.server_round import ServerRound
from medfl.privacy.secure_aggregation.settings import (
    WHERE,
    ProtocolSettings,
    RoundAgreement,
    new_session,
)
from medfl.privacy.secure_aggregation.unmasking import Unmasking


class AggregationServer:
    """The server. It takes in the clients' messages in any order, one vector at a time in memory.

    A round goes ``open``, ``roster``, ``deliver``, ``survivors``, ``request``, ``finish``. After
    each of the first five ``receive`` takes the clients' answers. A client whose answer is missing
    or refused has dropped out; it is no longer heard in the round.

    Args:
        identity: the server's long-term signing key.
        directory: the public keys of the server and of all clients.
        settings: the same as the clients have.
    """

    def __init__(
        self, identity: SigningIdentity, directory: KeyDirectory, settings: ProtocolSettings
    ) -> None:
        check_kind(WHERE, SigningIdentity, identity=identity)
        check_kind(WHERE, KeyDirectory, directory=directory)
        check_kind(WHERE, ProtocolSettings, settings=settings)
        self.session = new_session()
        self._identity = identity
        self._directory = directory
        self._settings = settings
        self._state: ServerRound | None = None

    def open(
        self, number: int, clients: Collection[int], model: bytes, length: int | None = None
    ) -> bytes:
        """Open a round, in place of the one that is open, if any.

        Args:
            number: of the round; clients refuse one that is not above the last of the session.
            clients: who takes part.
            model: hash of the global model (``hash_of_model``).
            length: how many entries a vector has; None takes that of the first one.

        Returns:
            The opening, for all clients.

        Raises:
            MedflError: no threshold protects so few clients.
        """
        check_whole(WHERE, number=number)
        check_clients(WHERE, clients)
        check_bytes(WHERE, model=model)
        if length is not None:
            check_whole(WHERE, length=length)
        threshold = self._settings.threshold_of(len(clients))
        agreement = RoundAgreement(
            self.session, number, tuple(clients), model, self._settings.digest
        )
        self._state = ServerRound(
            agreement, self._directory, threshold, ring_dtype(self._settings.ring_bits), length
        )
        return seal(self._identity, MessageKind.OPENING, agreement.context, agreement.packed)

    def receive(self, message: Buffer) -> int:
        """Take in a client's answer to the message that went out last, and say whose it is.

        Raises:
            RefusedMessageError: it is not what it should be; the round goes on without it.
        """
        state = self._state
        if state is None:
            raise RefusedMessageError(None, "no round is open")
        return state.receive(message)

    def roster(self) -> bytes:
        """Everybody's public keys, for all clients that gave theirs."""
        state = self._next(MessageKind.KEYS, MessageKind.SHARES)
        payload = Roster.pack([state.keys[client].message for client in sorted(state.keys)])
        state.roster = Roster.read(memoryview(payload), state.agreement, self._directory)
        return self._seal(state, MessageKind.ROSTER, payload)

    def deliver(self) -> dict[int, bytes]:
        """For each client that dealt shares a message with the shares that are for it."""
        state = self._next(MessageKind.SHARES, MessageKind.MASKED)
        dealers = sorted(state.witnesses)
        words = tuple(state.witnesses[dealer][1] for dealer in dealers)
        state.dealers = read_dealers(words, state.agreement, self._directory, state.roster)
        witnesses = packed_pieces(words)
        messages = {}
        for holder in dealers:
            dealt = [state.packets[dealer].get(holder) for dealer in dealers]
            packets = [packet.packed for packet in dealt if packet is not None]
            payload = (witnesses, packed(len(packets)), *packets)
            messages[holder] = self._seal(state, MessageKind.DELIVERY, *payload)
        return messages

    def survivors(self) -> bytes:
        """Who is in the sum, for those clients."""
        state = self._next(MessageKind.MASKED, MessageKind.CONFIRMATION)
        statements = [state.masked[client] for client in sorted(state.masked)]
        return self._seal(state, MessageKind.SURVIVORS, packed_pieces(statements))

    def request(self) -> bytes:
        """The confirmations, with which clients that confirmed are asked for their shares."""
        state = self._next(MessageKind.CONFIRMATION, MessageKind.ANSWER)
        threshold = self._settings.share_threshold_of(len(state.agreement.clients))
        state.unmasking = Unmasking(
            state.agreement, threshold, state.roster, state.dealers, state.packets, state.masked
        )
        return self._seal(state, MessageKind.REQUEST, packed_pieces(state.confirmations.values()))

    def finish(self) -> RingVector:
        """The sum of the vectors of all ``survivors``, (d,), and the end of the round.

        Raises:
            RoundAbortedError: too few clients answered, or a client dealt wrong shares.
        """
        state = self._stand(MessageKind.ANSWER)
        assert state.unmasking is not None
        assert state.sum is not None
        try:
            plus, minus = state.unmasking.keys()
        finally:
            self._state = None
        apply_masks(state.sum, plus, minus)
        return state.sum

    def _stand(self, due: MessageKind) -> ServerRound:
        """The round, if it stands where clients were asked for messages of this kind."""
        if self._state is None or self._state.due != due:
            stands = "is not open" if self._state is None else f"waits for {self._state.due.words}"
            raise MedflError(
                f"secure aggregation: the round {stands}, and this step comes after the clients' "
                f"{due.words}."
            )
        return self._state

    def _next(self, due: MessageKind, then: MessageKind) -> ServerRound:
        """Go on to the next step, if at least t clients are there."""
        state = self._stand(due)
        heard, least = state.heard(), state.threshold
        if due is MessageKind.MASKED:  # a sum of two gives each of them the other's update
            least = max(least, FEWEST_CLIENTS)
        if heard < least:
            self._state = None
            raise RoundAbortedError(
                state.agreement.number,
                f"{heard} of {len(state.agreement.clients)} clients sent their {due.words}, and "
                f"at least {least} must",
            )
        state.due = then
        return state

    def _seal(self, state: ServerRound, kind: MessageKind, *payload: bytes) -> bytes:
        return seal(self._identity, kind, state.agreement.context, *payload)
