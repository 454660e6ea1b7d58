"""One round as the server sees it: what it has taken in so far, and what it takes in next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medfl.privacy.sealed.envelope import Buffer, Envelope, MessageKind, unseal
from medfl.privacy.sealed.identities import KeyDirectory
from medfl.privacy.sealed.payload import PayloadReader
from medfl.privacy.sealed.refusals import RefusedMessageError
from medfl.privacy.sealed.ring import RingVector
from medfl.privacy.secure_aggregation.dealers import Dealers, Witness
from medfl.privacy.secure_aggregation.keys import PublicKeys
from medfl.privacy.secure_aggregation.roster import Roster, check_different
from medfl.privacy.secure_aggregation.settings import RoundAgreement
from medfl.privacy.secure_aggregation.sharing import SharePacket
from medfl.privacy.secure_aggregation.survivors import (
    STATEMENT_BYTES,
    read_statement,
    survivors_digest,
)
from medfl.privacy.secure_aggregation.unmasking import Unmasking


@dataclass
class ServerRound:
    """A round that is open.

    Attributes:
        agreement: what names it.
        directory: the public keys.
        threshold: t, how many clients each step must have.
        dtype: of the ring's vectors.
        length: how many entries a vector has; None before the first one.
        due: what clients were asked for last.
        keys: client → its message with public keys.
        roster: these keys, once no more are taken in.
        witnesses: client → what it said of its shares, and that message.
        dealers: these, once no more are taken in.
        packets: dealer → holder → shares to be handed on.
        sum: of the masked vectors so far, (d,).
        masked: the clients that are in it, with what each said of its masks.
        confirmations: client → its message.
        unmasking: takes in the shares at the end.
    """

    agreement: RoundAgreement
    directory: KeyDirectory
    threshold: int
    dtype: np.dtype[np.unsignedinteger[Any]]
    length: int | None
    due: MessageKind = MessageKind.KEYS
    keys: dict[int, Envelope] = field(default_factory=dict)
    roster: Roster = field(default_factory=lambda: Roster({}, b""))
    witnesses: dict[int, tuple[Witness, bytes]] = field(default_factory=dict)
    dealers: Dealers = field(default_factory=lambda: Dealers({}, b""))
    packets: dict[int, dict[int, SharePacket]] = field(default_factory=dict)
    sum: RingVector | None = None
    masked: dict[int, bytes] = field(default_factory=dict)
    confirmations: dict[int, bytes] = field(default_factory=dict)
    unmasking: Unmasking | None = None

    def receive(self, message: Buffer) -> int:
        """Take in a client's message of the kind that is due, and say whose it is.

        Raises:
            RefusedMessageError: it is not what it should be; the round is as it was before.
        """
        take, senders = {
            MessageKind.KEYS: (self._keys, self.agreement.members),
            MessageKind.SHARES: (self._shares, self.roster.keys),
            MessageKind.MASKED: (self._masked, self.witnesses),
            MessageKind.CONFIRMATION: (self._confirmation, self.masked),
            MessageKind.ANSWER: (self._answer, self.confirmations),
        }[self.due]
        signed = unseal(message, self.due, self.agreement.context, self.directory, senders)
        take(signed)
        return signed.sender

    def heard(self) -> int:
        """How many clients have sent what is due."""
        sent: dict[MessageKind, Collection[int]] = {
            MessageKind.KEYS: self.keys,
            MessageKind.SHARES: self.witnesses,
            MessageKind.MASKED: self.masked,
            MessageKind.CONFIRMATION: self.confirmations,
        }
        return len(sent[self.due])

    def _keys(self, signed: Envelope) -> None:
        _once(signed.sender, self.keys)
        keys = {client: PublicKeys.read(e.payload, client) for client, e in self.keys.items()}
        check_different({**keys, signed.sender: PublicKeys.read(signed.payload, signed.sender)})
        self.keys[signed.sender] = signed

    def _shares(self, signed: Envelope) -> None:
        _once(signed.sender, self.witnesses)
        reader = PayloadReader(signed.payload, signed.sender)
        message = reader.take(reader.number())
        witness = Witness.read(message, self.agreement, self.directory, self.roster, signed.sender)
        holders = [holder for holder in witness.holders if holder in self.roster.keys]
        packets = [SharePacket.read(reader) for _ in holders]
        reader.end()
        whose = {witness.client, *(packet.dealer for packet in packets)}
        if whose != {signed.sender} or [p.holder for p in packets] != holders:
            raise RefusedMessageError(
                signed.sender, "its shares are not for those whom its witness names"
            )
        self.packets[signed.sender] = {packet.holder: packet for packet in packets}
        self.witnesses[signed.sender] = witness, message

    def _masked(self, signed: Envelope) -> None:
        _once(signed.sender, self.masked)
        dtype, size = self.dtype, max(signed.payload.nbytes - STATEMENT_BYTES, 0)
        if size % dtype.itemsize or size == 0 or self.length not in (None, size // dtype.itemsize):
            raise RefusedMessageError(
                signed.sender,
                f"its vector has {size} bytes, which are not {self.length or 'any number of'} "
                f"entries of {dtype.itemsize} bytes",
            )
        said = bytes(signed.payload[size:])
        whose = read_statement(said, self.agreement, self.directory, self.dealers, signed.sender)
        if whose != signed.sender:
            raise RefusedMessageError(signed.sender, "it says what another client said")
        vector = np.frombuffer(signed.payload[:size], dtype)
        if self.sum is None:
            self.length, self.sum = len(vector), vector.copy()
        else:
            self.sum += vector
        self.masked[signed.sender] = said

    def _confirmation(self, signed: Envelope) -> None:
        _once(signed.sender, self.confirmations)
        if bytes(signed.payload) != survivors_digest(self.dealers, self.masked):
            raise RefusedMessageError(signed.sender, "it confirms other dropouts than there were")
        self.confirmations[signed.sender] = signed.message

    def _answer(self, signed: Envelope) -> None:
        assert self.unmasking is not None
        self.unmasking.take(signed)


def _once(sender: int, heard: Collection[int]) -> None:
    if sender in heard:
        raise RefusedMessageError(sender, "it is the second one, and the first one stands")
