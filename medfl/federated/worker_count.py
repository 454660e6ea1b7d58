"""How many clients of a run train side by side, and why they are not more."""

from __future__ import annotations

from torch import nn

from medfl.federated.server import FederatedServer
from medfl.federated.worker_memory import workers_in_memory
from medfl.federated.workers import can_have_workers, own_classes
from medfl.files.parallel import cpu_count

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def count_workers(server: FederatedServer, cores: int | None = None) -> tuple[int, str]:
    """How many clients train side by side on ``cores``, by default all that this process may use.

    Returns:
        The number; and in words why it is lower than what ``training.workers`` asks for, or lower
        than the cores where that is ``auto``. They are empty where there is nothing to say.
    """
    training = server.config.training
    wanted, cores = training.workers, cores or cpu_count()
    if wanted == 1:
        return 1, ""
    auto = wanted == "auto"
    asked = cores if wanted == "auto" else wanted
    limits = [(asked, "")]
    if reason := _alone(server, auto):
        limits.append((1, reason))
    else:
        few = _taking_part(server)
        limits += [(few, f"a round has {few} clients"), (cores, f"there are {cores} cores")]
        if auto and min(limits)[0] > 1:
            limits.append((workers_in_memory(server), "more would need too much memory"))
    number, reason = min(limits, key=lambda limit: limit[0])
    return number, reason and f"{number} of {asked} workers: {reason}"


def _alone(server: FederatedServer, auto: bool) -> str:
    """Why one client must train after the other, in words; empty where it need not."""
    training, device = server.config.training, server.data.device
    module = server.model.module
    if server.num_clients == 1:
        return "one client trains, and there is nobody to train beside it"
    if device.type != "cpu":
        return "clients train one after the other on a GPU"
    if not can_have_workers():
        return "processes that train clients side by side need Linux"
    if any(isinstance(one, _NORMS) and one.momentum is None for one in module.modules()):
        return "batch norm without momentum counts the batches of all clients"
    own = own_classes(server.parts)
    if auto and own:
        names = " and ".join(dict.fromkeys(type(one).__name__ for one in own))
        return f"auto does not know whether {names} keeps anything on itself while clients train"
    if auto and training.threads > 1:
        return f"training.threads is {training.threads}"
    return ""


def _taking_part(server: FederatedServer) -> int:
    """How many clients train in a round."""
    size = server.config.federated_learning.clients_per_round
    if size is None or server.algorithm.participation == "all":
        return server.num_clients
    return min(size, server.num_clients)
