"""``DPFederatedLearning``: a federation under differential privacy, from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain import Chain, check_chain, public_pixels
from medfl.config import DP_LINKS, UNITS, FederatedConfig, validate
from medfl.errors import MedflError, naming
from medfl.federated.client import FederatedClient
from medfl.federated.data import FederatedData
from medfl.federated.device import choose_device
from medfl.federated.server import FederatedServer
from medfl.federated.trainer import FederatedTrainer
from medfl.partition import Split
from medfl.store import Store

_WHERE = "DPFederatedLearning"
_OTHERS = ("secure_aggregation", "encryption")  # of the section, and links of their own


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
            dp_config: the keys of the section `privacy` but `mechanism`, and all others of its
                link, such as `views`. `differential_privacy` says what one ε protects; an image by
                default, and false switches it off.

        Raises:
            MedflError: a key is unknown or wrong, the run is protected already, or the two do not
                compose.
        """
        if isinstance(config, FederatedConfig):
            config = config.model_dump(exclude_unset=True)
        for given, what in ((config, "the run"), (dp_config, "dp_config")):
            if not isinstance(given, Mapping):
                raise MedflError(f"{what} is {given!r}: it must be a dictionary of keys.")
        content, params = dict(config), dict(dp_config)
        unit = params.pop("differential_privacy", True)
        if not isinstance(unit, bool) and unit not in UNITS:
            raise MedflError(
                f"differential_privacy is {unit!r}: it must be image, patient or hospital (true "
                "means image)."
            )
        others = {key: params.pop(key) for key in _OTHERS if key in params}
        content["privacy"] = {**_settings(content, "privacy"), **others}
        chain = _settings(content, "chain")
        links = _settings(chain, "links")
        both = [name for name in DP_LINKS if name in links]
        if both:
            raise MedflError(f"the run has the link {both[0]} already: leave one of the two out.")
        if unit:
            links["dp_image" if unit is True else f"dp_{unit}"] = params
        content["chain"] = {**chain, "links": links}
        self.config = validate(FederatedConfig, content, _WHERE)
        algorithm = ALGORITHMS.load(self.config.federated_learning.algorithm)
        with naming(_WHERE):
            check_chain(self.config, algorithm, "dp_config")
        self.trainer: FederatedTrainer | None = None

    def train(self, store: Store, split: Split) -> list[dict[str, Any]]:
        """Train on a store's samples as the split deals them; give one row a round.

        Each row has `epsilon`, the largest of the clients so far.
        """
        if not isinstance(split, Split):
            raise MedflError(
                f"{_WHERE}: the split is of type {type(split).__name__}: give what "
                "MedicalDataLoader.create_federated_splits gives."
            )
        if not hasattr(store, "images"):
            raise MedflError(
                f"{_WHERE}: the store is of type {type(store).__name__}: give what "
                "MedicalDataLoader.prepare gives."
            )
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
        """What is promised so far: ε with its unit, δ, adjacency, and what counts as public.

        Without a mechanism `unit`, `epsilon` and `delta` are None.
        """
        return {"unit": None, **self._chain.privacy()}

    @property
    def clients(self) -> dict[str, dict[str, Any]]:
        """Client → its ε so far, and the round from which on it takes no part, if there is one.

        At image and patient level also its sampling rate, noise and noised steps.
        """
        chain, record = self._chain, self._chain.record()
        link = next((name for name in DP_LINKS if name in record), None)
        if link is None:
            return {}
        if "clients" in record[link]:
            found: dict[str, dict[str, Any]] = record[link]["clients"]
            return found
        spent = record[link]["spent_from_round"]
        ids = [client.id for client in self.trainer.clients] if self.trainer else []
        return {
            str(client): {
                "epsilon": chain.client_row(client)["epsilon"],
                "spent_from_round": spent.get(str(client)),
            }
            for client in ids
        }

    @property
    def _chain(self) -> Chain:
        if self.trainer is None:
            raise MedflError("nothing is spent before `train` is called.")
        return self.trainer.server.chain


def _settings(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What stands under ``name``, which may be missing."""
    found = content.get(name)
    if isinstance(found, BaseModel):
        return found.model_dump(exclude_unset=True)
    if found is not None and not isinstance(found, Mapping):
        raise MedflError(f"{_WHERE}: {name} is {found!r}: it must be a dictionary of settings.")
    return dict(found or {})
