"""MOON. Li et al., Model-Contrastive Federated Learning, CVPR 2021."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import FederatedAlgorithm, HyperParams, Work
from medfl.algorithms.objective import averaged
from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Client
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel


class Moon(FederatedAlgorithm):
    """Pulls a client's features towards the global model's, away from its own previous ones.

    ℓ = ℓ_sup + µ ℓ_con, ℓ_con = −log(e^{sim(z, z_glob)/T} / (e^{sim(z, z_glob)/T} +
    e^{sim(z, z_prev)/T})) with cosine similarity (eq. 3), on the features before the classifier.
    The two models that it is compared with are frozen and run in evaluation mode; before a
    client's first round its previous model is the server's. The paper's extra projection head is
    left out, so that every arm trains the same network.
    """

    keeps_state = True

    class Params(HyperParams):
        """mu: µ, the weight of the contrastive loss. temperature: T."""

        mu: float = Field(1.0, ge=0)
        temperature: float = Field(0.5, gt=0)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """There is no last model in round 1 to contrast with."""
        return math.inf

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Refuse a network whose features cannot be read."""
        if not (hasattr(model.module, "forward_features") and hasattr(model.module, "head")):
            raise MedflError(
                "moon contrasts features: the model needs `forward_features(images)` and a `head`, "
                "as all built-in models have."
            )

    def objective(self) -> str:
        """As FedAvg, with the contrast in each client's loss."""
        if not self.params.mu:
            return averaged(self.server)
        loss = f"(F_i + {self.params.mu:g} C_i)"
        return f"{averaged(self.server, loss)}; C_i: the contrast, which is another each round"

    def train(self, client: Client, model: FlatModel) -> Work:
        """Take local steps on ℓ, with frozen copies of the server's and the client's last model."""
        near, far = model.twin("global"), model.twin("previous")
        near.load(client.start, client.start_buffers)
        far.load(
            client.state.get("previous", client.start),
            client.state.get("previous_buffers", client.start_buffers),
        )
        work = client.descend(model, "train", loss=partial(self._contrast, near, far))
        client.keep(previous=model.vector.clone(), previous_buffers=model.buffers.clone())
        return work

    def _contrast(
        self,
        near: FlatModel,
        far: FlatModel,
        model: FlatModel,
        images: Tensor,
        labels: Tensor,
        client: Client,
    ) -> Any:
        """ℓ_sup + µ ℓ_con of a batch."""
        import torch
        from torch.nn.functional import cosine_similarity, softplus

        features: Any = model.module.forward_features(images)  # type: ignore[operator]
        supervised = client.criterion(model.module.head(features), labels)  # type: ignore[operator]
        with torch.no_grad():
            pull = near.module.forward_features(images)  # type: ignore[operator]
            push = far.module.forward_features(images)  # type: ignore[operator]
        gap = cosine_similarity(features, push, dim=1) - cosine_similarity(features, pull, dim=1)
        # −log(e^a / (e^a + e^b)) = log(1 + e^{b − a})
        return supervised + self.params.mu * softplus(gap / self.params.temperature).mean()
