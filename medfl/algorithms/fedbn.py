"""FedBN. Li et al., Federated Learning on Non-IID Features via Local Batch Normalization, ICLR
2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.algorithms.fedavg import FedAvg

if TYPE_CHECKING:
    from medfl.models.flat import FlatModel


class FedBN(FedAvg):
    """Every batch-norm layer, parameters and statistics, stays with its client.

    The server has no complete model, so each client's own model is evaluated on its own data.
    """

    evaluated = "personal"
    statistics = "local to each client, with the batch-norm parameters"

    def objective(self) -> str:
        """As FedAvg, for what is shared."""
        return f"{super().objective()}; batch norm, which stays local: F_i of its client"

    def local_names(self, model: FlatModel) -> set[str]:
        """Name all that belongs to batch-norm layers, which are found by their type."""
        # Imported here because it imports torch, without which a grid is checked.
        from medfl.models.normalization import batch_norm_parameter_names

        return batch_norm_parameter_names(model.module)
