"""``DPFederatedLearning``: a federation under differential privacy, from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medfl.chain import public_pixels
from medfl.config import DP_LINKS, FederatedConfig, validate
from medfl.errors import MedflError
from medfl.federated.client import FederatedClient
from medfl.federated.data import FederatedData
from medfl.federated.server import FederatedServer, choose_device
from medfl.federated.trainer import FederatedTrainer
from medfl.partition import Split
from medfl.store import Store


class DPFederatedLearning:
    """A run's settings with differential privacy: a thin front of the links that protect.

    Example:
        >>> learning = DPFederatedLearning(
        ...     FederatedConfig(num_clients=5, rounds=5, local_steps=10),
        ...     {"noise_multiplier": 1.0, "max_grad_norm": 1.0, "target_epsilon": 10.0},
        ... )
        >>> history = learning.train(store, splits)
        >>> print(learning.privacy["unit"], learning.privacy["epsilon"])

    Attributes:
        config: the run with its link; `model.normalization` is group norm unless it was set.
        trainer: what trains, from ``train`` on.
    """

    def __init__(self, config: FederatedConfig | Mapping[str, Any], dp_config: Mapping[str, Any]):
        """Take a run and how it is protected.

        Args:
            config: the run, or its keys.
            dp_config: the keys of the section `privacy`, and all others of its link, such as
                `views`. `differential_privacy` says what one ε protects; an image by default.

        Raises:
            MedflError: a key is unknown or wrong, or the run is protected already.
        """
        if isinstance(config, FederatedConfig):
            config = config.model_dump(exclude_unset=True)
        content, params = dict(config), dict(dp_config)
        unit = params.pop("differential_privacy", True)
        if not isinstance(unit, bool) and unit not in ("image", "patient", "hospital"):
            raise MedflError(
                f"differential_privacy is {unit!r}: it must be image, patient or hospital (true "
                "means image)."
            )
        chain = dict(content.get("chain") or {})
        links = dict(chain.get("links") or {})
        both = [name for name in DP_LINKS if name in links]
        if both:
            raise MedflError(f"the run has the link {both[0]} already: leave one of the two out.")
        if unit:
            links["dp_image" if unit is True else f"dp_{unit}"] = params
        content["chain"] = {**chain, "links": links}
        self.config = validate(FederatedConfig, content, "DPFederatedLearning")
        self.trainer: FederatedTrainer | None = None

    def train(self, store: Store, split: Split) -> list[dict[str, Any]]:
        """Train on a store's samples as the split deals them; give one row a round.

        Each row has `epsilon`, the largest of the clients so far.
        """
        training, public = self.config.training, public_pixels(self.config.chain.links)
        data = FederatedData(
            store,
            split,
            choose_device(training.device),
            training.images,
            training.memory_limit,
            public,
        )
        server = FederatedServer(self.config, data)
        clients = [FederatedClient(client, data) for client in data.clients]
        self.trainer = FederatedTrainer(self.config, server, clients)
        return self.trainer.train()

    @property
    def privacy(self) -> dict[str, Any]:
        """What is promised so far: ε with its unit, δ, adjacency, and what counts as public."""
        promise: dict[str, Any] = self._chain.privacy()
        return promise

    @property
    def clients(self) -> dict[str, Any]:
        """Client → its sampling rate, noise, noised steps and ε so far."""
        found = self._chain.record()
        link = next(name for name in DP_LINKS if name in found)
        clients: dict[str, Any] = found[link]["clients"]
        return clients

    @property
    def _chain(self) -> Any:
        if self.trainer is None:
            raise MedflError("nothing is spent before `train` is called.")
        return self.trainer.server.chain
