"""Who takes part in a round, as every client sees it in the same signed words."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from medfl.privacy.secure_aggregation.envelope import MessageKind, seal, unseal
from medfl.privacy.secure_aggregation.identities import KeyDirectory, SigningIdentity
from medfl.privacy.secure_aggregation.keys import PublicKeys
from medfl.privacy.secure_aggregation.payload import PayloadReader, packed_list, packed_pieces
from medfl.privacy.secure_aggregation.refusals import SERVER, RefusedMessageError
from medfl.privacy.secure_aggregation.settings import HASH_BYTES, RoundAgreement
from medfl.privacy.secure_aggregation.sharing import SharePacket

# Clients of one process read the same words: what was read last is not read again. Like all that is
# read here, it follows from the words and the directory alone.
_last = lru_cache(maxsize=1)


@dataclass(frozen=True, eq=False)
class Roster:
    """Everybody's public keys of a round (U₁ of the paper).

    Attributes:
        keys: client → its keys, ascending.
        digest: 32 bytes that differ where one of them differs.
    """

    keys: dict[int, PublicKeys]
    digest: bytes

    @classmethod
    def read(
        cls, payload: memoryview, agreement: RoundAgreement, directory: KeyDirectory
    ) -> Roster:
        """Read and check the signed messages of which it is made (``RefusedMessageError``)."""
        return _read_roster(bytes(payload), agreement, directory)

    @staticmethod
    def pack(messages: Collection[bytes]) -> bytes:
        """The payload that ``read`` reads, from the clients' messages, ascending."""
        return packed_pieces(messages)


@_last
def _read_roster(payload: bytes, agreement: RoundAgreement, directory: KeyDirectory) -> Roster:
    reader = PayloadReader(memoryview(payload), SERVER)
    messages = reader.pieces()
    reader.end()
    keys: dict[int, PublicKeys] = {}
    last = -1
    for message in messages:
        signed = unseal(
            message, MessageKind.KEYS, agreement.context, directory, agreement.members, SERVER
        )
        if signed.sender <= last:
            raise RefusedMessageError(
                SERVER, "its list of keys is not ascending, or has a client twice"
            )
        last = signed.sender
        keys[last] = PublicKeys.read(signed.payload, last)
    check_different(keys)
    return Roster(keys, hashlib.sha256(b"medfl roster" + payload).digest())


def check_different(keys: dict[int, PublicKeys]) -> None:
    """Refuse keys that two clients have in common, or one client for two purposes."""
    owners: dict[bytes, int] = {}
    for client, own in keys.items():
        for key in (own.channel, own.masking):
            if key in owners:
                raise RefusedMessageError(
                    client,
                    f"its public keys are not its own alone: client {owners[key]} has the same, "
                    "or it has one key for two purposes",
                )
            owners[key] = client


@dataclass(frozen=True)
class Witness:
    """What a client says of the roster: it saw this one, and these clients hold its shares.

    It is signed, so it proves that the client is there now: the roster has the keys that the others
    drew for this round.

    Attributes:
        client: who says it.
        holders: for whom shares of its seeds are, ascending; itself too. Those who are not in the
            roster get none.
    """

    client: int
    holders: tuple[int, ...]

    def seal(self, identity: SigningIdentity, agreement: RoundAgreement, roster: Roster) -> bytes:
        """The signed message."""
        said = roster.digest + packed_list(self.holders)
        return seal(identity, MessageKind.WITNESS, agreement.context, said)

    @classmethod
    def read(
        cls,
        message: bytes,
        agreement: RoundAgreement,
        directory: KeyDirectory,
        roster: Roster,
        carrier: int,
    ) -> Witness:
        """Read and check one that came in a message of ``carrier`` (``RefusedMessageError``)."""
        signed = unseal(
            message, MessageKind.WITNESS, agreement.context, directory, roster.keys, carrier
        )
        reader = PayloadReader(signed.payload, signed.sender)
        seen, holders = reader.take(HASH_BYTES), reader.numbers()
        reader.end()
        if seen != roster.digest:
            raise RefusedMessageError(signed.sender, "it was shown other public keys")
        if signed.sender not in holders or not agreement.members >= set(holders):
            raise RefusedMessageError(
                signed.sender, "its shares are not for itself and other clients of the round"
            )
        return cls(signed.sender, holders)


def read_delivery(
    payload: memoryview, agreement: RoundAgreement, directory: KeyDirectory, roster: Roster
) -> tuple[dict[int, Witness], list[SharePacket]]:
    """Read what the server sends before masking: who dealt shares, and the shares for one client.

    Raises:
        RefusedMessageError: it cannot be read, or a witness in it says something else.
    """
    reader = PayloadReader(payload, SERVER)
    words = tuple(reader.pieces())
    packets = [SharePacket.read(reader) for _ in range(reader.number())]
    reader.end()
    return _read_witnesses(words, agreement, directory, roster), packets


@_last
def _read_witnesses(
    words: tuple[bytes, ...], agreement: RoundAgreement, directory: KeyDirectory, roster: Roster
) -> dict[int, Witness]:
    found = [Witness.read(piece, agreement, directory, roster, SERVER) for piece in words]
    witnesses = {witness.client: witness for witness in found}
    if list(witnesses) != sorted(witness.client for witness in found):
        raise RefusedMessageError(SERVER, "its witnesses are not ascending, or one is there twice")
    return witnesses


@_last
def read_confirmations(
    words: tuple[bytes, ...], agreement: RoundAgreement, directory: KeyDirectory
) -> dict[int, bytes]:
    """Who confirms which list of survivors, by its digest (``RefusedMessageError``)."""
    confirmed, kind = {}, MessageKind.CONFIRMATION
    for piece in words:
        signed = unseal(piece, kind, agreement.context, directory, agreement.members, SERVER)
        confirmed[signed.sender] = bytes(signed.payload)
    return confirmed


def survivors_digest(roster: Roster, survivors: Collection[int]) -> bytes:
    """What a client signs where it was told that ``survivors`` are in the sum (U₃ of the paper)."""
    return hashlib.sha256(
        b"medfl survivors" + roster.digest + packed_list(sorted(survivors))
    ).digest()


def neighbours(witnesses: dict[int, Witness]) -> dict[int, list[int]]:
    """With whom each client has masks in common: who holds its shares, and whose shares it holds.

    Args:
        witnesses: of all clients that dealt shares (U₂ of the paper).
    """
    return _neighbours(tuple(witnesses.values()))


@_last
def _neighbours(witnesses: tuple[Witness, ...]) -> dict[int, list[int]]:
    joined: dict[int, set[int]] = {witness.client: set() for witness in witnesses}
    for witness in witnesses:
        for holder in witness.holders:
            if holder in joined and holder != witness.client:
                joined[witness.client].add(holder)
                joined[holder].add(witness.client)
    return {client: sorted(others) for client, others in joined.items()}
