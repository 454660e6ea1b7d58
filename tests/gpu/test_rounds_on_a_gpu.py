"""Whole federations on a real GPU: the same bits each time, graphs or not, and a CPU's numbers."""

from __future__ import annotations

import pytest
import torch
from chains import LINKS
from federations import ALGORITHMS, comparable

from benchmarks.federations import random_store, unequal_split
from medfl.chain import public_pixels
from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer

pytestmark = pytest.mark.gpu
DEVICE = "cuda"
SIZES = (40, 70, 25)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return random_store(tmp_path_factory.mktemp("stores") / "random", 260, 32)


def federated(store, name="fedavg", device=DEVICE, *, folder=None, on_round=None, **settings):
    """A federation of three clients; ``settings`` are flat keys of the configuration."""
    usual = {"model": "cnn", "rounds": 3, "batch_size": 16, "learning_rate": 0.05}
    usual |= {"local_epochs": 2, "evaluate_every": 3, "min_test_samples": 1, "workers": 1}
    config = FederatedConfig(
        algorithm=name.split("-")[0], algorithm_params=ALGORITHMS[name], num_clients=len(SIZES),
        **usual | {"device": device} | settings,
    )  # fmt: skip
    public, images = public_pixels(config.chain.links), config.training.images
    split = unequal_split(store, SIZES)
    data = FederatedData(store, split, device, images, public_pixels=public)
    server = FederatedServer(config, data)
    clients = [FederatedClient(client, data) for client in data.clients]
    return FederatedTrainer(
        config, server, clients, checkpoint_dir=folder, fingerprint="test", on_round=on_round
    )


def trained(*args, **settings):
    one = federated(*args, **settings)
    one.train()
    assert one.status == "completed"
    return one


def same(one, other):
    assert torch.equal(one.server.vector, other.server.vector)
    assert torch.equal(one.server.buffers, other.server.buffers)
    assert comparable(one.history) == comparable(other.history)


def graphs_of(one):
    return len(one.server.graphs._graphs)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_graphs_give_the_bits_of_single_kernels(store, name):
    plain, graphs = (trained(store, name, cuda_graphs=word) for word in ("off", "auto"))
    same(plain, graphs)
    assert (graphs_of(plain), bool(graphs_of(graphs))) == (0, name != "moon")


@pytest.mark.parametrize("half", ["on", "off"])
@pytest.mark.parametrize("model", ["resnet18", "densenet121", "efficientnet_b0"])
def test_large_networks_do_so_too(store, model, half):
    """EfficientNet draws at random in every step."""
    plain, graphs, again = (
        trained(store, model=model, mixed_precision=half, cuda_graphs=word)
        for word in ("off", "auto", "auto")
    )
    same(plain, graphs)
    same(graphs, again)
    assert graphs_of(graphs)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adamw"},
        {"momentum": 0.9, "weight_decay": 1e-3, "clip_norm": 0.5},
        {"normalization": "group", "model": "resnet18"},
        {"augmentation": {"preset": "dermatoscopy"}},
        {"patch": 24},
        {"clients_per_round": 2},
    ],
)
def test_settings_repeat_their_bits(store, settings):
    plain, graphs, again = (
        trained(store, cuda_graphs=word, **settings) for word in ("off", "auto", "auto")
    )
    same(plain, graphs)
    same(graphs, again)


@pytest.mark.parametrize("chain", LINKS)
def test_links_and_rules_repeat_their_bits(store, chain):
    settings = {"chain": LINKS[chain], "normalization": "group", "weighting": "uniform"}
    settings |= {"local_epochs": None, "local_steps": 6}
    first, second = (trained(store, **settings) for _ in range(2))
    same(first, second)


@pytest.mark.parametrize("settings", [{"images": "disk"}, {"client_state": "disk"}])
def test_what_lies_on_the_disk_changes_no_bit(store, settings, tmp_path):
    same(trained(store, "scaffold"), trained(store, "scaffold", **settings))


# MOON divides cosines by a temperature of a half and exponentiates them.
@pytest.mark.parametrize(
    ("name", "limit"), [("fedavg", 1e-3), ("scaffold", 1e-3), ("ditto", 1e-3), ("moon", 1e-2)]
)
def test_a_gpu_computes_what_a_cpu_does(store, name, limit, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    settings = {"rounds": 2, "mixed_precision": "off", "learning_rate": 0.01}
    one, other = (trained(store, name, device, **settings) for device in ("cpu", DEVICE))
    start = federated(store, name, "cpu", **settings).server.vector
    moved = (one.server.vector - start).norm()
    assert (one.server.vector - other.server.vector.cpu()).norm() < limit * moved


def test_a_killed_run_goes_on_to_the_same_bits(store, tmp_path):
    def stop(row):
        if row["round"] == 3:
            raise KeyboardInterrupt

    settings = {"rounds": 5}
    whole = federated(store, "scaffold", **settings)
    whole.train()
    with pytest.raises(KeyboardInterrupt):
        federated(store, "scaffold", folder=tmp_path, on_round=stop, **settings).train()
    resumed = federated(store, "scaffold", folder=tmp_path, **settings)
    resumed.train()
    same(whole, resumed)
