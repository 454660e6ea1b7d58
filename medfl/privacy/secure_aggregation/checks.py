"""What a client looks at before it goes on: who is left, and who has confirmed it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from medfl.privacy.secure_aggregation.envelope import MessageKind, unseal
from medfl.privacy.secure_aggregation.identities import KeyDirectory
from medfl.privacy.secure_aggregation.refusals import SERVER, RefusedMessageError
from medfl.privacy.secure_aggregation.roster import Witness
from medfl.privacy.secure_aggregation.settings import RoundAgreement


def check_present(client: int, present: Collection[int], threshold: int) -> None:
    """Refuse to go on with fewer than t clients, or without ``client`` itself."""
    if len(present) < threshold:
        raise RefusedMessageError(
            SERVER, f"{len(present)} clients are left, and at least {threshold} must be"
        )
    if client not in present:
        raise RefusedMessageError(SERVER, f"client {client} is missing among the others")


def check_held(
    clients: Iterable[int],
    witnesses: Mapping[int, Witness],
    present: Collection[int],
    share_threshold: int,
) -> None:
    """Refuse to go on where too few of those who hold the shares of one of ``clients`` are left.

    In the sparse graph these are its neighbours, whose masks protect it.
    """
    left = set(present)
    for client in clients:
        if len(left.intersection(witnesses[client].holders)) < share_threshold:
            raise RefusedMessageError(
                SERVER, f"too few neighbours of client {client} are left to protect it"
            )


def read_confirmation(
    message: bytes,
    client: int,
    agreement: RoundAgreement,
    directory: KeyDirectory,
    survivors: Collection[int],
    digest: bytes,
) -> int:
    """Who confirms with ``message`` the survivors that ``client`` was told of, by their digest."""
    context = agreement.context
    signed = unseal(message, MessageKind.CONFIRMATION, context, directory, survivors, SERVER)
    if bytes(signed.payload) != digest:
        raise RefusedMessageError(
            SERVER, f"client {signed.sender} was told of other dropouts than client {client}"
        )
    return signed.sender


def check_confirmed(confirmed: Collection[int], threshold: int) -> None:
    """Refuse to reveal anything before t clients have confirmed who is in the sum."""
    if len(confirmed) < threshold:
        raise RefusedMessageError(
            SERVER,
            f"{len(confirmed)} clients have confirmed who is in the sum, and {threshold} must",
        )
