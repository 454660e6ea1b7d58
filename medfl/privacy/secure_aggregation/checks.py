"""What a client looks at before it goes on: who is left, and who has confirmed it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError
from medfl.privacy.secure_aggregation.dealers import Dealers


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
    dealers: Dealers,
    present: Collection[int],
    share_threshold: int,
) -> None:
    """Refuse to go on where too few of those who hold the shares of one of ``clients`` are left.

    In the sparse graph these are its neighbours, whose masks protect it.
    """
    left = set(present)
    for client in clients:
        if len(left.intersection(dealers.witnesses[client].holders)) < share_threshold:
            raise RefusedMessageError(
                SERVER, f"too few neighbours of client {client} are left to protect it"
            )


def check_confirmed(
    client: int,
    survivors: Collection[int],
    confirmed: Mapping[int, bytes],
    digest: bytes,
    threshold: int,
) -> None:
    """Refuse to reveal anything before t clients have confirmed who is in the sum.

    Args:
        client: who looks.
        survivors: who is in the sum, as it was told.
        confirmed: client → the digest of the list that it was shown.
        digest: that of the list that ``client`` was shown.
        threshold: t.
    """
    for other, shown in confirmed.items():
        if shown != digest:
            raise RefusedMessageError(
                SERVER, f"client {other} was told of other dropouts than client {client}"
            )
    count = sum(other in confirmed for other in survivors)
    if count < threshold:
        raise RefusedMessageError(
            SERVER, f"{count} clients have confirmed who is in the sum, and {threshold} must"
        )
