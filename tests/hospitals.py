"""Federations with hospital-level privacy."""

from __future__ import annotations

from typing import Any

from chains import build

from medfl.federated import FederatedTrainer

# Many algorithms, settings and parameters of the tests make the noise as long as they like.
ANY_RATIO = 1e9


def hospitals(
    algorithm: str = "fedavg",
    params: dict[str, Any] | None = None,
    links: dict[str, Any] | None = None,
    **settings: Any,
) -> FederatedTrainer:
    """A federation with ``dp_hospital``; ``params`` are the link's."""
    given = {"noise_multiplier": 1.0, "max_noise_ratio": ANY_RATIO, **(params or {})}
    settings = {"local_steps": 3, "weighting": "uniform", **settings}
    return build(algorithm, {"links": {"dp_hospital": given, **(links or {})}}, **settings)


def link_of(trainer: FederatedTrainer) -> Any:
    """The link of a run."""
    return next(link for link in trainer.server.chain.links if link.name == "dp_hospital")
