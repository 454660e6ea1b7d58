"""FedPer. Arivazhagan, Aggarwal, Singh and Choudhary, Federated Learning with Personalization
Layers, 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.algorithms.fedavg import FedAvg
from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.models.flat import FlatModel


class FedPer(FedAvg):
    """The head stays with its client; both parts are trained together, as one network.

    The server has no complete model, so each client's own model is evaluated on its own data.
    """

    evaluated = "personal"

    def objective(self) -> str:
        """As FedAvg, for what is shared."""
        return f"{super().objective()}; the head, which stays local: F_i of its client"

    def local_names(self, model: FlatModel) -> set[str]:
        """Name all that belongs to the head."""
        # Imported here because it imports torch, without which a grid is checked.
        from medfl.models.parts import head_names

        names = head_names(model.module)
        if dict(model.module.named_parameters()).keys() <= names:
            raise MedflError(
                f"{type(self).__name__} keeps the head of each network local, and this network is "
                "nothing but its head, so that nothing would travel: take a deeper one, or the "
                "algorithm `local`."
            )
        return names
