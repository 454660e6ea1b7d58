"""What a hospital uses that took no part in training: no patient of it was seen by anyone.

Where the server has a whole model, that is the one. Where layers stay with clients (FedBN), they
are the mean of the clients' own, parameters and statistics, by the weights of the federation's
averages: what federated averaging would have made of them. Statistics of the new hospital's own
images, as SiloBN takes for new centres (Andreux et al., DART 2020, after Li et al.'s AdaBN), would
make its test images part of the model. Where clients share nothing, all their models are asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medfl.federated.client import FederatedClient
from medfl.federated.server import FederatedServer

SERVER, AVERAGE, ANSWERS = "server", "average", "answers"

WORDS = {
    SERVER: "server's model",
    AVERAGE: "server's shared entries with the mean of the clients' own",
    ANSWERS: "mean answer of all clients' models",
}


def unseen_by(server: FederatedServer) -> str:
    """By what a hospital never seen is judged.

    ``server``: the server's model; ``average``: its shared entries, and the mean of what stays with
    clients; ``answers``: the mean of the probabilities that all clients' models give.
    """
    if server.algorithm.unseen == ANSWERS:
        return ANSWERS
    return SERVER if server.complete else AVERAGE


def load_average(server: FederatedServer, clients: Sequence[FederatedClient]) -> None:
    """Load the server's shared entries, and the clients' mean of the others, into its network.

    Clients that have not trained yet have none of their own; before all, the first values stay.
    """
    model = server.model
    server.load(model, server.vector, server.buffers)
    total = 0.0
    sums: list[Tensor] = []
    for client in clients:
        if "local" not in client.state:
            continue
        own = [client.state[name].double() * client.weight for name in ("local", "local_buffers")]
        sums = [torch.add(*pair) for pair in zip(sums, own, strict=True)] if sums else own
        total += client.weight
        client.state.release()
    if sums:
        mean, statistics = (one / total for one in sums)
        server.shared.put_local(model, mean.to(server.vector), statistics.to(server.vector))
