"""The client's side. Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine
Learning, CCS 2017, figure 4, in the variant against a malicious server (signatures and the
consistency check included).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from medfl.errors import MedflError
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.envelope import Envelope, MessageKind, seal, unseal
from medfl.privacy.sealed.given import check_kind
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.payload import PayloadReader, packed, packed_list
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError
from medfl.privacy.sealed.ring import RingVector, apply_masks
from medfl.privacy.secure_aggregation.checks import (
    check_confirmed,
    check_held,
    check_present,
)
from medfl.privacy.secure_aggregation.dealers import Dealers, Witness, read_delivery
from medfl.privacy.secure_aggregation.keys import (
    RoundSecrets,
    pair_mask_key,
    self_mask_key,
    share_key,
)
from medfl.privacy.secure_aggregation.masks import checked_ring_vector
from medfl.privacy.secure_aggregation.released import ReleasedSums
from medfl.privacy.secure_aggregation.roster import Roster
from medfl.privacy.secure_aggregation.settings import (
    WHERE,
    ProtocolSettings,
    RoundAgreement,
)
from medfl.privacy.secure_aggregation.sharing import SharePacket, share_out
from medfl.privacy.secure_aggregation.survivors import (
    read_confirmations,
    read_survivors,
    seal_statement,
    survivors_digest,
)


class _Step(IntEnum):
    """How far a client is in a round."""

    ADVERTISED = 1
    SHARED = 2
    MASKED = 3
    CONFIRMED = 4


@dataclass
class _Round:
    """What a client knows of the round that it is in."""

    agreement: RoundAgreement
    threshold: int
    share_threshold: int
    secrets: RoundSecrets
    step: _Step = _Step.ADVERTISED
    roster: Roster = field(default_factory=lambda: Roster({}, b""))
    dealers: Dealers = field(default_factory=lambda: Dealers({}, b""))
    shares: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    survivors: tuple[int, ...] = ()


class AggregationClient:
    """A client. It answers each message of the server with at most one message, or refuses it.

    In a round its methods are called once each, in this order. A message that it refuses
    (``RefusedMessageError``) changes nothing.

    Args:
        identity: its long-term signing key.
        directory: the public keys of the server and of all clients.
        settings: what it agrees to; not the server's to choose.
        released: the sums that it has helped to reveal, where it goes on after a restart.
    """

    def __init__(
        self,
        identity: SigningIdentity,
        directory: KeyDirectory,
        settings: ProtocolSettings,
        released: ReleasedSums | None = None,
    ) -> None:
        check_kind(WHERE, SigningIdentity, identity=identity)
        check_kind(WHERE, KeyDirectory, directory=directory)
        check_kind(WHERE, ProtocolSettings, settings=settings)
        self.id = identity.sender
        self.released = released or ReleasedSums()
        self._identity = identity
        self._directory = directory
        self._settings = settings
        self._rounds: dict[bytes, int] = {}
        self._round: _Round | None = None

    def advertise(self, opening: bytes, model: bytes) -> bytes:
        """Begin a round: draw new keys, and give the public ones.

        Args:
            opening: the server's message.
            model: hash of the global model as this client received it (``hash_of_model``).
        """
        signed = unseal(opening, MessageKind.OPENING, None, self._directory, (SERVER,))
        agreement = RoundAgreement.read(signed.payload, SERVER)
        try:
            threshold = self._settings.threshold_of(len(agreement.clients))
            share_threshold = self._settings.share_threshold_of(len(agreement.clients))
        except MedflError as error:
            raise RefusedMessageError(SERVER, str(error).rstrip(".")) from error
        last = self._rounds.get(agreement.session)
        for wrong, reason in (
            (self.id not in agreement.clients, f"client {self.id} is not among its clients"),
            (
                any(client not in self._directory for client in agreement.clients),
                "a client of the round has no key in the directory",
            ),
            (agreement.model != model, "the global model of the round is another one"),
            (agreement.settings != self._settings.digest, "the server has other settings"),
            (
                last is not None and agreement.number <= last,
                f"round {agreement.number} of the session has been opened before",
            ),
        ):
            if wrong:
                raise RefusedMessageError(SERVER, reason)
        self._rounds[agreement.session] = agreement.number
        drawn = RoundSecrets(agreement, self.id)
        self._round = _Round(agreement, threshold, share_threshold, drawn)
        return seal(self._identity, MessageKind.KEYS, agreement.context, drawn.public.packed)

    def share(self, message: bytes) -> bytes:
        """Deal shares of the round's two seeds to the clients of the roster ``message``."""
        now, signed = self._take(message, MessageKind.ROSTER, _Step.ADVERTISED)
        roster = Roster.read(signed.payload, now.agreement, self._directory)
        check_present(self.id, roster.keys, now.threshold)
        if roster.keys.get(self.id) != now.secrets.public:
            raise RefusedMessageError(SERVER, f"the keys of client {self.id} in it are not its own")
        holders = self._settings.choose_holders(self.id, now.agreement.clients)
        dealt = zip(
            holders,
            share_out(now.secrets.self_seed, now.share_threshold, len(holders)),
            share_out(now.secrets.masking_seed, now.share_threshold, len(holders)),
            strict=True,
        )
        packets = []
        for holder, own, masking in dealt:
            if holder not in roster.keys:
                continue
            public = roster.keys[holder].channel
            private, digest = now.secrets.channel, roster.digest
            key = share_key(private, public, self.id, holder, now.agreement, digest)
            packet = SharePacket.seal(key, self.id, holder, own, masking, now.agreement)
            packets.append(packet.packed)
        witness = Witness(self.id, tuple(holders)).seal(self._identity, now.agreement, roster)
        now.roster, now.step = roster, _Step.SHARED
        payload = (packed(len(witness)), witness, *packets)
        return seal(self._identity, MessageKind.SHARES, now.agreement.context, *payload)

    def mask(self, message: bytes, vector: RingVector) -> bytes:
        """Mask a vector. The server can read no more from it than from random numbers.

        Args:
            message: the shares of the others (``DELIVERY``).
            vector: (d,) integers of the ring.
        """
        checked_ring_vector(vector, self._settings.ring_bits)
        now, signed = self._take(message, MessageKind.DELIVERY, _Step.SHARED)
        dealers, packets = read_delivery(signed.payload, now.agreement, self._directory, now.roster)
        check_present(self.id, dealers.witnesses, now.threshold)
        check_held((self.id,), dealers, dealers.witnesses, now.share_threshold)
        dealt = [packet for packet in packets if packet.dealer in dealers.witnesses]
        shares = {packet.dealer: self._opened(packet, now) for packet in dealt}
        plus = [self_mask_key(now.secrets.self_seed, self.id, now.agreement, now.roster.digest)]
        minus: list[bytes] = []
        for other in dealers.neighbours[self.id]:
            public = now.roster.keys[other].masking
            private, digest = now.secrets.masking, now.roster.digest
            key = pair_mask_key(private, self.id, other, public, now.agreement, digest)
            (plus if other > self.id else minus).append(key)
        masked = vector.copy()
        apply_masks(masked, plus, minus)
        now.dealers, now.step = dealers, _Step.MASKED
        now.shares = {dealer: share for dealer, share in shares.items() if share is not None}
        said = seal_statement(self._identity, now.agreement, dealers)
        return seal(self._identity, MessageKind.MASKED, now.agreement.context, masked.data, said)

    def confirm(self, message: bytes) -> bytes:
        """Sign who is in the sum, after a look at whether that sum may be revealed."""
        now, signed = self._take(message, MessageKind.SURVIVORS, _Step.MASKED)
        reader = PayloadReader(signed.payload, SERVER)
        words = tuple(reader.pieces())
        reader.end()
        survivors = read_survivors(words, now.agreement, self._directory, now.dealers)
        check_present(self.id, survivors, max(now.threshold, FEWEST_CLIENTS))
        held = [one for one in survivors if self.id in now.dealers.witnesses[one].holders]
        check_held(held, now.dealers, survivors, now.share_threshold)
        colluding = self._settings.colluding
        reason = self.released.objection(now.agreement.model, survivors, colluding)
        if reason:
            raise RefusedMessageError(SERVER, reason)
        now.survivors, now.step = survivors, _Step.CONFIRMED
        digest = survivors_digest(now.dealers, survivors)
        return seal(self._identity, MessageKind.CONFIRMATION, now.agreement.context, digest)

    def unmask(self, message: bytes) -> bytes:
        """Give the shares that take the masks off the sum: of each client one kind alone.

        Of a client that is in the sum it is that of the self seed, of one that dropped out that of
        the masking seed. There is one such answer in a round, and only if at least t clients have
        signed that they see the same clients in the sum.
        """
        now, signed = self._take(message, MessageKind.REQUEST, _Step.CONFIRMED)
        reader = PayloadReader(signed.payload, SERVER)
        pieces = reader.pieces()
        reader.end()
        digest, context = survivors_digest(now.dealers, now.survivors), now.agreement.context
        confirmed = read_confirmations(tuple(pieces), now.agreement, self._directory)
        check_confirmed(self.id, now.survivors, confirmed, digest, now.threshold)
        present = set(now.survivors)
        answer = [packed_list(sorted(now.shares))]
        answer += [now.shares[dealer][dealer not in present] for dealer in sorted(now.shares)]
        self.released.add(now.agreement.model, now.survivors)
        self._round = None  # nothing of the round is kept, so nothing can be given twice
        return seal(self._identity, MessageKind.ANSWER, context, *answer)

    def _take(self, message: bytes, kind: MessageKind, step: _Step) -> tuple[_Round, Envelope]:
        """The round and the message, if it is the one that is due."""
        now = self._round
        if now is None:
            raise RefusedMessageError(SERVER, f"client {self.id} is in no round")
        signed = unseal(message, kind, now.agreement.context, self._directory, (SERVER,))
        if now.step != step:
            raise RefusedMessageError(
                SERVER, f"client {self.id} gives one answer to each message of a round"
            )
        return now, signed

    def _opened(self, packet: SharePacket, now: _Round) -> tuple[bytes, bytes] | None:
        """The shares in a packet that came for this client; None where they are not valid."""
        public, digest = now.roster.keys[packet.dealer].channel, now.roster.digest
        dealer, private = packet.dealer, now.secrets.channel
        key = share_key(private, public, dealer, self.id, now.agreement, digest)
        return packet.open(key, now.agreement)
