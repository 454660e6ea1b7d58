"""Which keys of runs are held to the precision of their network, and when."""

from __future__ import annotations

import pytest
import torch
from federations import Linear, federation, small_store, split_of

from medfl.algorithms.precision import check_planned, naming_large_numbers
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import FederatedData, FederatedServer

MARKED = [
    ("fedavg", "training.learning_rate", {"learning_rate": 1e39}),
    ("fedavg", "training.weight_decay", {"weight_decay": 1.7e308}),
    *(
        (algorithm, f"federated_learning.algorithm_params.{key}", {"algorithm_params": {key: 1e39}})
        for algorithm, key in (
            ("fedprox", "mu"),
            ("fednova", "mu"),
            ("ditto", "lam"),
            ("mrmtl", "lam"),
            ("feddyn", "alpha"),
            ("finetune", "tuning_rate"),
            ("fedala", "weight_rate"),
            ("scaffold", "server_learning_rate"),
            ("fedavgm", "server_learning_rate"),
            ("fedadam", "server_learning_rate"),
            ("fedadam", "tau"),
            ("fedyogi", "tau"),
            ("fedadagrad", "tau"),
        )
    ),
]


@pytest.mark.parametrize(("algorithm", "key", "settings"), MARKED)
def test_a_built_in_network_is_in_single_precision_before_it_is_built(algorithm, key, settings):
    config = FederatedConfig(algorithm=algorithm, **settings)
    with pytest.raises(MedflError, match=f"`{key}` is "):
        check_planned(config)


@pytest.mark.parametrize(
    ("scale", "said"), [(1e39, "1e.39, .* hold it"), (1e-46, "1e-46, .* hold 1 divided by it")]
)
def test_numbers_of_links_are_held_to_it_too(scale, said):
    links = {"dp_hospital": {"noise_multiplier": 1.0, "scales": {"parameters": scale}}}
    with pytest.raises(MedflError, match=f"`chain.links.dp_hospital.scales.parameters` is {said}"):
        check_planned(FederatedConfig(chain={"links": links}))


def test_of_ones_own_network_nothing_is_known_before_it_is_built():
    check_planned(FederatedConfig(learning_rate=1e39, model="my_nets:Double"))


def test_the_server_knows_the_precision_of_its_network():
    store = small_store(36)
    data = FederatedData(store, split_of(store, [6, 6]))
    config = FederatedConfig(learning_rate=1e39, num_clients=2)
    with pytest.raises(MedflError, match=r"`training.learning_rate` is 1e\+39"):
        FederatedServer(config, data, model=Linear())
    assert FederatedServer(config, data.double(), model=Linear().double())


def test_in_double_precision_larger_numbers_are_computed_with():
    """One step of plain SGD with η = 10^39: the largest entry of x is of that size."""
    trainer = federation(rounds=1, local_steps=1, learning_rate=1e39)
    trainer.train()
    assert trainer.server.vector.abs().max() > 1e36
    assert trainer.server.vector.isfinite().all()


def test_where_a_product_is_too_large_its_factors_are_named():
    config = FederatedConfig(learning_rate=1e38, weight_decay=1e30)
    product = config.training.learning_rate * config.training.weight_decay
    said = r"look for a rate, .*smaller one. Of the settings, `training.learning_rate` is 1e\+38, "
    with (
        pytest.raises(MedflError, match=said + r"`training.weight_decay` is 1e\+30\."),
        naming_large_numbers(config),
    ):
        torch.zeros(2).add_(torch.ones(2), alpha=product)
    with pytest.raises(RuntimeError, match="another"), naming_large_numbers(config):
        raise RuntimeError("another")
