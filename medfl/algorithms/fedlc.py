"""FedLC. Zhang et al., Federated Learning with Label Distribution Skew via Logits Calibration, ICML
2022.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work
from medfl.algorithms.fedavg import FedAvg
from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Client, Server
    from medfl.models.flat import FlatModel

_NONE = 1e-8  # counts for 0 samples, whose margin would be infinite; as in public code


class FedLC(FedAvg):
    """Lowers the logit of class y by τ n_y^{−1/4} in training, n_y the client's samples of it.

    So rare classes must be told apart by a wider margin, and classes that a client lacks take next
    to no part in its softmax: its steps do not push them down. With τ = 0, or as many samples of
    each class, this is FedAvg. The paper's eq. 8 leaves the label's own term out of the softmax's
    sum; that loss has no lower bound and is not cross-entropy at τ = 0, so the sum is whole here,
    as in the code that others publish.

    The counts stay with their client.
    """

    counts_labels = True

    class Params(HyperParams):
        """tau: τ, the width of the margins; 0 is FedAvg."""

        tau: float = Field(1.0, ge=0)

    def setup(self, server: Server) -> None:
        """Refuse data with several labels of an image, which no softmax tells apart."""
        if server.data.info.task == "multilabel":
            raise MedflError(
                "fedlc calibrates a softmax over classes, and an image of "
                f"{server.data.info.name} may have several labels: take another algorithm, or "
                "training.class_balanced_beta, which weighs each label by itself."
            )

    def objective(self) -> str:
        """As FedAvg, with margins in each client's loss."""
        if not self.params.tau:
            return super().objective()
        margin = f"{self.params.tau:g} n_y^(-1/4)"
        return f"{super().objective()}; F_i: with logits lowered by {margin}, by client i's counts"

    def train(self, client: Client, model: FlatModel) -> Work:
        """Take local steps on the calibrated loss."""
        if not self.params.tau:
            return super().train(client, model)
        margins = self.params.tau * client.label_counts().double().clamp(min=_NONE) ** -0.25
        return client.descend(model, "train", loss=partial(self._calibrated, margins))

    def _calibrated(
        self, margins: Tensor, model: FlatModel, images: Tensor, labels: Tensor, client: Client
    ) -> Any:
        """The loss of a batch, from logits less the margins (K,)."""
        logits = model.module(images)
        return client.criterion(logits - margins.to(logits.dtype), labels)
