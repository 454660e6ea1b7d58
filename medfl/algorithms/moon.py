"""MOON. Li et al., Model-Contrastive Federated Learning, CVPR 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import ClientUpdate, FederatedAlgorithm, HyperParams
from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.config import Training
    from medfl.federated.client import FederatedClient
    from medfl.federated.server import FederatedServer
    from medfl.federated.vector import FlatModel


class Moon(FederatedAlgorithm):
    """Pulls a client's features towards the global model's, away from its own previous ones.

    ℓ = ℓ_sup + µ ℓ_con, ℓ_con = −log(e^{sim(z, z_glob)/T} / (e^{sim(z, z_glob)/T} +
    e^{sim(z, z_prev)/T})) with cosine similarity (eq. 3), on the features before the classifier.
    The two frozen models run in evaluation mode; before a client's first round its previous
    model is the server's. The paper's extra projection head is left out: every arm trains the
    same network.
    """

    class Params(HyperParams):
        """mu: weight of the contrastive loss. temperature: T."""

        mu: float = Field(1.0, ge=0)
        temperature: float = Field(0.5, gt=0)

    def check(self, training: Training, model: FlatModel) -> None:
        """A network without named features has nothing to contrast."""
        if not (hasattr(model.module, "forward_features") and hasattr(model.module, "head")):
            raise MedflError(
                "moon contrasts features: the model needs `forward_features(images)` and a `head`, "
                "as all built-in models have."
            )

    def setup(self, server: FederatedServer) -> None:
        """Two frozen copies of the network, shared by all clients."""
        self._global, self._previous = server.model.clone(), server.model.clone()
        for frozen in (self._global, self._previous):
            frozen.module.eval().requires_grad_(False)

    def before_training(self, client: FederatedClient, model: FlatModel) -> None:
        """Load the two frozen models for this client."""
        self._global.load(self.server.vector, self.server.buffers)
        vector = client.state.get("previous", self.server.vector)
        self._previous.load(vector, client.state.get("previous_buffers", self.server.buffers))

    def loss(
        self, model: FlatModel, images: Tensor, labels: Tensor, client: FederatedClient
    ) -> Any:
        """ℓ_sup + µ ℓ_con of a batch."""
        import torch
        from torch.nn.functional import cosine_similarity, softplus

        features: Any = model.module.forward_features(images)  # type: ignore[operator]
        supervised = client.criterion(model.module.head(features), labels)  # type: ignore[operator]
        with torch.no_grad():
            near = self._global.module.forward_features(images)  # type: ignore[operator]
            far = self._previous.module.forward_features(images)  # type: ignore[operator]
        gap = cosine_similarity(features, far, dim=1) - cosine_similarity(features, near, dim=1)
        # −log(e^a / (e^a + e^b)) = log(1 + e^{b − a})
        return supervised + self.params.mu * softplus(gap / self.params.temperature).mean()

    def client_update(
        self, client: FederatedClient, model: FlatModel, update: ClientUpdate
    ) -> None:
        """Keep the local model for the client's next round."""
        client.state["previous"] = update.vector.clone()
        client.state["previous_buffers"] = update.buffers.clone()
