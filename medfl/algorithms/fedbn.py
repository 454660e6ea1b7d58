"""FedBN. Li et al., Federated Learning on Non-IID Features via Local Batch Normalization, ICLR
2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from medfl.algorithms.base import HyperParams
from medfl.algorithms.fedavg import FedAvg
from medfl.config import neutral

if TYPE_CHECKING:
    from medfl.models.flat import FlatModel


class FedBN(FedAvg):
    """Every batch-norm layer, parameters and statistics, stays with its client.

    The server has no complete model, so each client's own model is evaluated on its own data.
    """

    class Params(HyperParams):
        """layers: what stays local: ``batch`` norm as in the paper, or every ``normalization``.

        Where group norm stands in batch norm's place, no layer is a batch norm.
        """

        layers: Literal["batch", "normalization"] = Field(
            "batch", json_schema_extra=neutral("batch")
        )

    evaluated = "personal"
    statistics = "local to each client, with the batch-norm parameters"

    @classmethod
    def keeps_batch_norm_alone(cls, params: Mapping[str, Any]) -> bool:
        """Whether ``layers`` is ``batch``."""
        return bool(cls.Params(**params).layers == "batch")

    def objective(self) -> str:
        """As FedAvg, for what is shared."""
        layers = "batch norm" if self.params.layers == "batch" else "normalisation"
        if self.server.complete:
            return f"{super().objective()}; the network has no {layers}: nothing stays local"
        return f"{super().objective()}; {layers}, which stays local: F_i of its client"

    def local_names(self, model: FlatModel) -> set[str]:
        """Name all that belongs to layers of this kind, which are found by their type."""
        # Imported here because it imports torch, without which a grid is checked.
        from medfl.models.normalization import BATCH_NORMS, NORMALIZATIONS, layer_entries

        kinds = BATCH_NORMS if self.params.layers == "batch" else NORMALIZATIONS
        return layer_entries(model.module, kinds)
