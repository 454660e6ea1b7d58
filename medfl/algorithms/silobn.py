"""SiloBN. Andreux et al., Siloed Federated Learning for Multi-Centric Histopathology Datasets, DCL
workshop of MICCAI 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medfl.algorithms.fedavg import FedAvg

if TYPE_CHECKING:
    from medfl.models.flat import FlatModel


class SiloBN(FedAvg):
    """Batch norm's means and variances stay with their client; its weights are shared.

    ``FedBN`` keeps both. The server has no complete model, so each client's own model is evaluated
    on its own data.
    """

    evaluated = "personal"
    statistics = "local to each client"

    @classmethod
    def keeps_batch_norm_alone(cls, params: Mapping[str, Any]) -> bool:
        """Always: only the statistics of batch norm are local."""
        return True

    def objective(self) -> str:
        """As FedAvg, because statistics are not trained."""
        if self.server.complete:
            return f"{super().objective()}; the network has no batch norm: nothing stays local"
        return f"{super().objective()}; statistics of batch norm are each client's own"

    def local_names(self, model: FlatModel) -> set[str]:
        """Name the running means and variances of layers of this type."""
        # Imported here because it imports torch, without which a grid is checked.
        from medfl.models.normalization import BATCH_NORMS, layer_entries

        entries = layer_entries(model.module, BATCH_NORMS)
        return entries - dict(model.module.named_parameters()).keys()
