"""Who is in the sum of a round, and who has confirmed it, in signed words."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from functools import lru_cache

from medfl.privacy.sealed.envelope import (
    OVERHEAD,
    MessageKind,
    seal,
    unseal,
)
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.model_hash import HASH_BYTES
from medfl.privacy.sealed.payload import packed_list
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError
from medfl.privacy.secure_aggregation.dealers import Dealers
from medfl.privacy.secure_aggregation.settings import RoundAgreement

STATEMENT_BYTES = OVERHEAD + HASH_BYTES


def seal_statement(identity: SigningIdentity, agreement: RoundAgreement, dealers: Dealers) -> bytes:
    """What a client says with its masked vector: it has masks in common with these dealers.

    The server could show it few of them and let just these drop out, while the others believe that
    all of them protect it. So they look whether it saw the same as they.
    """
    return seal(identity, MessageKind.STATEMENT, agreement.context, dealers.digest)


def read_statement(
    message: bytes,
    agreement: RoundAgreement,
    directory: KeyDirectory,
    dealers: Dealers,
    carrier: int,
) -> int:
    """Whose statement it is, if it saw the same dealers (``RefusedMessageError``)."""
    kind, senders = MessageKind.STATEMENT, dealers.witnesses
    signed = unseal(message, kind, agreement.context, directory, senders, carrier)
    if bytes(signed.payload) != dealers.digest:
        raise RefusedMessageError(
            signed.sender, "it has masks in common with others than it should have"
        )
    return signed.sender


@lru_cache(maxsize=1)  # clients of one process read the same words
def read_survivors(
    words: tuple[bytes, ...], agreement: RoundAgreement, directory: KeyDirectory, dealers: Dealers
) -> tuple[int, ...]:
    """The clients in the sum (U₃ of the paper), ascending, from their statements.

    Raises:
        RefusedMessageError: a statement is not of a dealer, or of one who saw other dealers.
    """
    found = [read_statement(piece, agreement, directory, dealers, SERVER) for piece in words]
    if found != sorted(set(found)):
        raise RefusedMessageError(
            SERVER, "its list of clients is not ascending, or has one of them twice"
        )
    return tuple(found)


def survivors_digest(dealers: Dealers, survivors: Collection[int]) -> bytes:
    """What a client signs where it was told that ``survivors`` are in the sum."""
    told = dealers.digest + packed_list(sorted(survivors))
    return hashlib.sha256(b"medfl survivors" + told).digest()


@lru_cache(maxsize=1)
def read_confirmations(
    words: tuple[bytes, ...], agreement: RoundAgreement, directory: KeyDirectory
) -> dict[int, bytes]:
    """Who confirms which list of survivors, by its digest (``RefusedMessageError``)."""
    confirmed, kind = {}, MessageKind.CONFIRMATION
    for piece in words:
        signed = unseal(piece, kind, agreement.context, directory, agreement.members, SERVER)
        confirmed[signed.sender] = bytes(signed.payload)
    return confirmed
