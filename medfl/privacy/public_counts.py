"""What may be told of a client's work: no more than its public settings say already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medfl.chain import Message
    from medfl.chain.roles import Server


def public_gradients(message: Message, server: Server) -> int | None:
    """The gradients of a client's message; None where the algorithm passes over all samples.

    The batches of a pass tell how many samples a client has, also where ``local_steps`` makes the
    steps the same for all.
    """
    params = server.config.federated_learning.algorithm_params
    return None if server.algorithm.takes_full_gradient(params) else message.gradients
