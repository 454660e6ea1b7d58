"""Which clients decide the worst client, and what is said of each of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from federations import Linear, small_store, split_of

from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.outcome import run_metrics
from medfl.metrics import Proportion


@pytest.fixture
def held():
    """A store and a split: clients 0 and 2 test on 4 images of 4 patients, client 1 on 6 of 3."""
    store = small_store(60)
    split = split_of(store, [8, 16, 12])
    folds = split.folds.copy()
    folds[split.indices(1, "val")[:2]] = "test"
    split = replace(split, folds=folds)
    first, second, third = split.indices(1, "test")[:3]
    store.groups[split.indices(1, "test")] = [f"p{first}", f"p{second}", f"p{third}"] * 2
    return store, split


def trained(held, **settings):
    store, split = held
    data = FederatedData(store, split).double()
    config = FederatedConfig(num_clients=3, rounds=1, batch_size=4, **settings)
    server = FederatedServer(config, data, model=Linear().double())
    clients = [FederatedClient(client, data) for client in data.clients]
    trainer = FederatedTrainer(config, server, clients)
    trainer.train()
    return trainer


def test_a_client_with_few_test_images_is_not_the_worst_one(held):
    trainer = trained(held, min_test_samples=5)
    own = {row["client"]: row for row in trainer.client_history[-6:] if row["fold"] == "test"}
    sizes = {client: (row["n"], row["patients"]) for client, row in own.items()}
    assert sizes == {0: (4, 4), 1: (6, 3), 2: (4, 4)}
    row = trainer.history[-1]
    assert row["worst_client_accuracy"] == own[1]["accuracy"]
    assert row["worst_client_n_test"] == 6
    metrics = run_metrics(trainer)
    fairness = metrics["fairness"]
    assert (fairness["n"], fairness["left_out"]) == (1, {"0": 4, "2": 4})
    assert (fairness["worst_client"], fairness["worst_patients"]) == ("1", 3)
    # Alone, it is judged at the level of every client's own interval.
    ends = (own[1]["accuracy_low"], own[1]["accuracy_high"])
    assert (fairness["worst_low"], fairness["worst_high"]) == ends
    assert metrics["clients"]["1"]["test_patients"] == 3


def test_the_interval_of_a_client_is_over_its_patients(held):
    store, split = held
    trainer = trained(held, min_test_samples=5)
    server, rows = trainer.server, split.indices(1, "test")
    server.model.load(server.vector, server.buffers)
    logits = server.model.module.eval()(trainer.data.inputs(trainer.data.indices(1, "test")))
    right = logits.detach().numpy().argmax(axis=1) == store.labels[rows]
    share = Proportion.of(right, [0, 1, 2] * 2)
    found = run_metrics(trainer)["clients"]["1"]["test"]
    assert (found["accuracy"], found["n"], found["patients"]) == (share.value, 6, 3)
    assert (found["accuracy_low"], found["accuracy_high"]) == share.interval()
    assert np.isfinite(share.interval()).all()


@pytest.mark.parametrize("settings", [{"min_test_samples": 7}, {"min_test_patients": 5}, {}])
def test_where_nobody_has_enough_there_is_a_reason_and_no_number(held, settings):
    """By default 10 samples of 2 patients are asked for."""
    trainer = trained(held, **settings)
    assert trainer.history[-1]["worst_client_accuracy"] is None
    fairness = run_metrics(trainer)["fairness"]
    assert fairness["reason"].startswith("no client has at least")
    assert fairness["worst"] is fairness["jain"] is None
    assert fairness["left_out"] == {"0": 4, "1": 6, "2": 4}
