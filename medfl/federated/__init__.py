"""The engine: server, clients, trainer, and the flat vector they share.

The public names are imported when they are first used, so that a command that only looks whether a
run is there already does not wait for PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medfl.federated.client import FederatedClient
    from medfl.federated.data import FederatedData
    from medfl.federated.private import DPFederatedLearning
    from medfl.federated.server import FederatedServer
    from medfl.federated.trainer import FederatedTrainer

_HOMES = {
    "DPFederatedLearning": "private",
    "FederatedClient": "client",
    "FederatedData": "data",
    "FederatedServer": "server",
    "FederatedTrainer": "trainer",
}

__all__ = [
    "DPFederatedLearning",
    "FederatedClient",
    "FederatedData",
    "FederatedServer",
    "FederatedTrainer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
