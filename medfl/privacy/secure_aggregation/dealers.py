"""Who dealt shares to whom, as every client sees it in the same signed words."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

from medfl.privacy.sealed.envelope import MessageKind, seal, unseal
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.model_hash import HASH_BYTES
from medfl.privacy.sealed.payload import PayloadReader, packed_list, packed_pieces
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError
from medfl.privacy.secure_aggregation.roster import Roster
from medfl.privacy.secure_aggregation.settings import RoundAgreement
from medfl.privacy.secure_aggregation.sharing import SharePacket


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


@dataclass(frozen=True, eq=False)
class Dealers:
    """All clients that dealt shares in a round (U₂ of the paper): they have masks in common.

    Attributes:
        witnesses: client → its witness, ascending.
        digest: 32 bytes that differ where a word of a witness differs.
    """

    witnesses: dict[int, Witness]
    digest: bytes

    @cached_property
    def neighbours(self) -> dict[int, list[int]]:
        """With whom each has masks in common: who holds its shares, and whose shares it holds."""
        joined: dict[int, set[int]] = {client: set() for client in self.witnesses}
        for client, witness in self.witnesses.items():
            for holder in witness.holders:
                if holder in joined and holder != client:
                    joined[client].add(holder)
                    joined[holder].add(client)
        return {client: sorted(others) for client, others in joined.items()}


@lru_cache(maxsize=1)  # clients of one process read the same words
def read_dealers(
    words: tuple[bytes, ...], agreement: RoundAgreement, directory: KeyDirectory, roster: Roster
) -> Dealers:
    """Read and check the witnesses of a round (``RefusedMessageError``)."""
    found = [Witness.read(piece, agreement, directory, roster, SERVER) for piece in words]
    witnesses = {witness.client: witness for witness in found}
    if list(witnesses) != sorted(witness.client for witness in found):
        raise RefusedMessageError(SERVER, "its witnesses are not ascending, or one is there twice")
    digest = hashlib.sha256(b"medfl dealers" + packed_pieces(words)).digest()
    return Dealers(witnesses, digest)


def read_delivery(
    payload: memoryview, agreement: RoundAgreement, directory: KeyDirectory, roster: Roster
) -> tuple[Dealers, list[SharePacket]]:
    """Read what the server sends before masking: who dealt shares, and the shares for one client.

    Raises:
        RefusedMessageError: it cannot be read, or a witness in it says something else.
    """
    reader = PayloadReader(payload, SERVER)
    words = tuple(reader.pieces())
    packets = [SharePacket.read(reader) for _ in range(reader.number())]
    reader.end()
    return read_dealers(words, agreement, directory, roster), packets
