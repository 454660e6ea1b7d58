"""What a round does with clients whose training came to NaN or infinity.

No sum or rule mends such an update, and min(1, C/‖NaN‖) lets it pass. So a client looks at what it
would send before it clips, noises or masks it, and drops out; the server refuses what links made so
on the way. The others' round goes on. Where nobody is left, the run has diverged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medfl.federated.client import FederatedClient

log = logging.getLogger(__name__)


class DivergedError(Exception):
    """No client's update, or not the server's model or its predictions, are finite any more."""


def report_refused(
    number: int, refused: Mapping[int, str], chosen: Sequence[FederatedClient]
) -> None:
    """Say who was refused in round ``number``, each client once in a run.

    Args:
        number: of the round.
        refused: client → why.
        chosen: the clients of the round.

    Raises:
        DivergedError: all of them were refused.
    """
    if refused and len(refused) == len(chosen):
        first, reason = next(iter(refused.items()))
        others = f", and so at the other {len(refused) - 1}" if len(refused) > 1 else ""
        raise DivergedError(f"round {number}, client {first}: {reason}{others}")
    for client in chosen:
        if client.refused != (number,):
            continue
        log.warning(
            "round %d, client %d: %s. The client is left out of this round, as of later ones of "
            "which this is true; the others go on. `refused` in rounds.csv counts such updates.",
            number,
            client.id,
            refused[client.id],
        )
