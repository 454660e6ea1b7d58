"""Hospitals never seen: what they are judged by, and that nobody trains on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from federations import Normed, federation, small_store, split_of

from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.kept import keep_predictions
from medfl.federated.outcome import run_metrics
from medfl.results.predictions import read_predictions

SIZES = (8, 12, 10)
HOSPITALS = (0, 2, 3)  # which train; number 1 is never seen


def left_out(algorithm, change=lambda store, unseen: None, **settings):
    """A trainer of three hospitals, whose images ``change`` does not touch, and a fourth."""
    store = small_store(sum(SIZES) + 24)
    split = split_of(store, list(SIZES))
    clients = np.array(HOSPITALS)[split.clients]
    clients[split.folds == "test"] = 1
    change(store, split.folds == "test")
    split = replace(split, clients=clients, num_clients=4, client_names=("a", "b", "c", "d"))
    usual = {"model": Normed, "rounds": 2, "momentum": 0.5, **settings}
    config = federation(algorithm, sizes=SIZES, **usual).config
    data = FederatedData(store, split).double()
    torch.manual_seed(0)
    server = FederatedServer(config, data, model=Normed().double())
    return FederatedTrainer(config, server, [FederatedClient(k, data) for k in data.clients])


def others(store, unseen):
    store.images[unseen] = 255 - store.images[unseen] // 3
    store.labels[unseen] = (store.labels[unseen] + 1) % 3


def answers(trainer, state):
    """What a network of these entries says of the unseen hospital's images."""
    network = Normed().double()
    network.load_state_dict(state)
    network.eval()
    with torch.no_grad():
        images = trainer.data.inputs(trainer.data.indices(1, "test"))
        return torch.softmax(network(images), dim=1)


def entries(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def own_entries(trainer):
    """Client → the entries of the model that it uses itself."""
    found = {}
    for client in trainer.clients:
        trainer.server.algorithm.personal_model(client, trainer.server.model)
        found[client.id] = entries(trainer.server.model)
    return found


def said(trainer):
    """What the last evaluation says of hospital 1."""
    evaluation = trainer.last[1]
    return trainer.evaluator._by_client(evaluation.said)[1]["test"]


@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold", "fedbn", "local", "centralized"])
def test_nothing_that_is_trained_or_chosen_depends_on_the_unseen_hospital(algorithm):
    one, two = left_out(algorithm), left_out(algorithm, others)
    assert one.data.mean == two.data.mean
    assert one.data.std == two.data.std
    for trainer in (one, two):
        trainer.train()
    torch.testing.assert_close(one.server.vector, two.server.vector, rtol=0, atol=0)
    assert one.best_score == two.best_score
    assert one.last[1].pooled["val"] == two.last[1].pooled["val"]
    assert one.last[1].pooled["test"] != two.last[1].pooled["test"]


def test_the_server_s_model_judges_where_it_is_whole():
    for algorithm in ("fedavg", "ditto", "finetune"):
        trainer = left_out(algorithm)
        trainer.train()
        server = trainer.server
        server.load(server.model, server.vector, server.buffers)
        expected = answers(trainer, entries(server.model))
        np.testing.assert_allclose(said(trainer), expected, rtol=0, atol=1e-6)
        assert run_metrics(trainer)["unseen_by"] == "server"


def test_layers_that_stay_with_clients_are_averaged_by_their_weights():
    trainer = left_out("fedbn")
    trainer.train()
    own = own_entries(trainer)
    mean = {
        name: sum(n * own[k][name] for n, k in zip(SIZES, HOSPITALS, strict=True)) / sum(SIZES)
        for name in own[0]
        if own[0][name].is_floating_point()
    }
    assert any("running_var" in name for name in mean)
    mean["body.1.num_batches_tracked"] = own[0]["body.1.num_batches_tracked"]
    expected = answers(trainer, mean)
    np.testing.assert_allclose(said(trainer), expected, rtol=0, atol=1e-6)
    # One hospital's own layers would say something else.
    assert np.abs(said(trainer) - answers(trainer, own[0]).numpy()).max() > 1e-3
    assert run_metrics(trainer)["unseen_by"] == "average"


def test_a_client_that_was_never_sampled_has_no_layers_to_average():
    trainer = left_out("fedbn", clients_per_round=1, rounds=1)
    trainer.train()
    (trained,) = (client for client in trainer.clients if "local" in client.state)
    expected = answers(trainer, own_entries(trainer)[trained.id])
    np.testing.assert_allclose(said(trainer), expected, rtol=0, atol=1e-6)


def test_where_nothing_is_shared_all_models_are_asked():
    trainer = left_out("local", evaluate_every=1)
    trainer.train()
    own = [answers(trainer, state) for state in own_entries(trainer).values()]
    np.testing.assert_allclose(said(trainer), torch.stack(own).mean(dim=0), rtol=0, atol=1e-6)
    metrics = run_metrics(trainer)
    assert metrics["unseen_by"] == "answers"
    # For everyone it is the mean of what the models are worth one by one.
    labels = trainer.evaluator.labels[trainer.data.indices(1, "test").numpy()]
    alone = [(one.numpy().argmax(axis=1) == labels).mean() for one in own]
    assert metrics["last"]["everyone"]["accuracy"] == pytest.approx(np.mean(alone))


def test_side_by_side_as_one_by_one():
    for algorithm in ("fedbn", "local"):
        alone, together = left_out(algorithm), left_out(algorithm, workers=2)
        for trainer in (alone, together):
            trainer.train()
        np.testing.assert_array_equal(said(alone), said(together))


def test_the_record_and_the_predictions_name_the_hospital(tmp_path):
    trainer = left_out("fedbn")
    trainer.train()
    metrics = run_metrics(trainer)
    tests = len(trainer.data.indices(1, "test"))
    assert metrics["num_clients"] == 3
    assert list(metrics["clients"]) == ["0", "1", "2", "3"]
    unseen = metrics["clients"]["1"]
    assert (unseen["n_train"], unseen["n_test"], unseen["steps"]) == (0, tests, 0)
    assert metrics["last"]["test"]["accuracy"] == unseen["test"]["accuracy"]
    fairness = metrics["fairness"]
    assert (fairness["worst_client"], fairness["n"], fairness["left_out"]) == ("1", 1, {})
    # Nobody there knows its shares of classes: those of all training samples answer.
    assert metrics["without_images"]["own"] == metrics["without_images"]["everyone"]
    keep_predictions(tmp_path / "predictions.npz", trainer)
    kept = read_predictions(tmp_path / "predictions.npz")
    own = (kept["view"] == "own") & (kept["moment"] == "last")
    of_unseen = own & (kept["client"] == 1)
    assert set(kept["owner"][of_unseen].tolist()) == {-1}
    np.testing.assert_allclose(kept["probabilities"][of_unseen], said(trainer), atol=1e-6)
    assert set(kept["fold"][own & (kept["client"] != 1)].tolist()) == {"val"}
    rows = [row for row in trainer.client_history if row["client"] == 1 and row["n"]]
    assert {(row["fold"], row["steps"], row["train_samples"]) for row in rows} == {("test", 0, 0)}


def test_links_know_the_hospitals_that_train_alone():
    chain = {"links": {"secure_aggregation": {}}}
    trainer = left_out("fedavg", chain=chain, weighting="uniform")
    plain = left_out("fedavg", weighting="uniform")
    for one in (trainer, plain):
        one.train()
    torch.testing.assert_close(trainer.server.vector, plain.server.vector, rtol=0, atol=1e-4)
    trainer = left_out("fedavg", chain={"links": {"sign_flip": {}}, "attackers": 0.4})
    trainer.train()
    assert 1 not in run_metrics(trainer)["robustness"]["clients"]


def test_a_client_that_only_validates_is_refused():
    store = small_store(40)
    split = split_of(store, [8, 8])
    split.folds[(split.clients == 1) & (split.folds != "val")] = "train"
    split.clients[split.folds == "train"] = 0
    data = FederatedData(store, split)
    config = federation(sizes=(8, 8)).config
    server = FederatedServer(config, data, model=Normed())
    with pytest.raises(MedflError, match=r"clients \[1\].*no training samples.*never seen"):
        FederatedTrainer(config, server, [FederatedClient(k, data) for k in data.clients])
