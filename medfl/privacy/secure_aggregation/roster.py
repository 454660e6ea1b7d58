"""Who takes part in a round, as every client sees it in the same signed words."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from medfl.privacy.sealed.envelope import MessageKind, unseal
from medfl.privacy.sealed.identities import KeyDirectory
from medfl.privacy.sealed.payload import PayloadReader, packed_pieces
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError
from medfl.privacy.secure_aggregation.keys import PublicKeys
from medfl.privacy.secure_aggregation.settings import RoundAgreement


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


@lru_cache(maxsize=1)  # clients of one process read the same words
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
