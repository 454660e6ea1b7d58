"""The engine: server, clients, trainer, and the flat vector they share."""

from medfl.federated.client import FederatedClient
from medfl.federated.data import FederatedData
from medfl.federated.server import FederatedServer
from medfl.federated.trainer import FederatedTrainer

__all__ = ["FederatedClient", "FederatedData", "FederatedServer", "FederatedTrainer"]
