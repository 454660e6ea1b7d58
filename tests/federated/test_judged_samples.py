"""Which samples each number is of: what models say is made up, and every metric worked out by hand.

Of the fifteen samples, client 0 trains on 0 to 3, validates on 4 and 5 and tests on 6 to 9; client
1 trains on 10 and 11, validates on 12 and tests on 13 and 14. Their classes are in ``LABELS``.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Linear, small_store
from safetensors.torch import load_file

from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.evaluation import Evaluation
from medfl.federated.outcome import run_metrics, write_model
from medfl.metrics.inputs import BRIEF
from medfl.partition import Split
from medfl.results.predictions import ALL

LABELS = np.array([0, 0, 0, 1, 0, 1, 0, 1, 2, 0, 2, 1, 2, 1, 2])
CLIENTS = np.repeat([0, 1], [10, 5])
FOLDS = np.repeat(["train", "val", "test", "train", "val", "test"], [4, 2, 4, 2, 1, 2])
# One of three validation samples, three of client 0's four test samples, one of client 1's two.
RIGHT = {4, 6, 7, 8, 13}
NAMES = ("1.weight", "1.bias")
"""Of the parameters of ``Linear``, in their order."""
TESTS = [6, 7, 8, 9, 13, 14]


def said(rows, right):
    """Probabilities: 1 for the class of a sample of ``right``, or else for the next class."""
    wrong = [row not in right for row in rows]
    return np.eye(3)[(LABELS[rows] + wrong) % 3]


def judged(monkeypatch, algorithm, answer):
    """The trainer after its last round, whose models say what ``answer`` gives for rows."""
    store = small_store(15)
    store.labels = LABELS
    data = FederatedData(store, Split(store.ids, CLIENTS, FOLDS, "iid", 0, 2)).double()
    config = FederatedConfig(
        algorithm=algorithm, num_clients=2, rounds=1, batch_size=4, min_test_samples=1
    )
    server = FederatedServer(config, data, model=Linear().double())
    trainer = FederatedTrainer(config, server, [FederatedClient(k, data) for k in (0, 1)])

    def logits(model, data, batches, server):
        return 1000 * torch.from_numpy(answer(model, torch.cat(batches).tolist()))

    for module in ("judging", "prediction"):
        monkeypatch.setattr(f"medfl.federated.{module}.logits", logits)
    trainer.train()
    return trainer


def test_each_number_is_of_its_own_fold_and_clients(monkeypatch):
    trainer = judged(monkeypatch, "fedavg", lambda model, rows: said(rows, RIGHT))
    metrics, row = run_metrics(trainer), trainer.history[-1]
    assert row["val_accuracy"] == pytest.approx(1 / 3)
    assert row["test_accuracy"] == pytest.approx(4 / 6)
    assert (row["worst_client_accuracy"], row["worst_client_n_test"]) == (0.5, 2)
    assert metrics["last"]["val"]["accuracy"] == pytest.approx(1 / 3)
    assert metrics["last"]["test"]["accuracy"] == pytest.approx(4 / 6)
    assert metrics["last"]["everyone"]["accuracy"] == pytest.approx(4 / 6)
    # Classes 0, 1 and 2 of the test samples: one of two right, both, and one of two.
    assert metrics["last"]["test"]["balanced_accuracy"] == pytest.approx(2 / 3)
    sizes = {k: (one["n_train"], one["n_test"]) for k, one in metrics["clients"].items()}
    assert sizes == {"0": (4, 4), "1": (2, 2)}
    own = {k: (one["test"]["n"], one["test"]["accuracy"]) for k, one in metrics["clients"].items()}
    assert own == {"0": (4, 0.75), "1": (2, 0.5)}
    # A client's entry has the few main metrics, so that records of many clients stay small.
    luck = {"patients", "accuracy_low", "accuracy_high"}
    assert set(metrics["clients"]["0"]["test"]) == {"n", *BRIEF, *luck}
    fairness = metrics["fairness"]
    assert (fairness["best"], fairness["worst"], fairness["worst_client"]) == (0.75, 0.5, "1")
    assert (fairness["mean"], fairness["std"], fairness["n"]) == (0.625, 0.125, 2)
    assert fairness["jain"] == pytest.approx(1.25**2 / (2 * (0.75**2 + 0.5**2)))


def test_the_table_of_clients_has_each_fold_with_its_own_samples(monkeypatch):
    trainer = judged(monkeypatch, "fedavg", lambda model, rows: said(rows, RIGHT))
    table = [
        (row["client"], row["fold"], row["n"], row["accuracy"], row["train_samples"])
        for row in trainer.client_history
        if row["round"] == 1
    ]
    assert table == [
        (0, "val", 2, 0.5, 4),
        (0, "test", 4, 0.75, 4),
        (1, "val", 1, 0.0, 2),
        (1, "test", 2, 0.5, 2),
    ]


def test_personal_models_answer_for_their_own_and_their_mean_for_everyone(monkeypatch):
    """Client 0's model is right on all test samples, client 1's only on sample 13."""
    asked = []

    def answer(model, rows):
        asked.append(rows)
        # Each model is asked about everyone's patients right after its own.
        own = asked[-2] if rows == TESTS else rows
        return said(rows, set(TESTS) if own[0] == 4 else {13})

    metrics = run_metrics(judged(monkeypatch, "local", answer))
    assert asked[-4:] == [[4, 5, 6, 7, 8, 9], TESTS, [12, 13, 14], TESTS]
    assert metrics["everyone_by"] == "clients"
    assert metrics["last"]["val"]["accuracy"] == 0.0
    # On their own patients four of four and one of two; on everyone's six of six and one of six.
    assert metrics["last"]["test"]["accuracy"] == pytest.approx(5 / 6)
    assert metrics["last"]["everyone"]["accuracy"] == pytest.approx((1 + 1 / 6) / 2)
    assert metrics["clients"]["0"]["test"]["accuracy"] == 1.0
    assert metrics["clients"]["1"]["test"]["accuracy"] == 0.5


def test_answers_without_images_are_the_shares_of_training_classes(monkeypatch):
    trainer = judged(monkeypatch, "fedavg", lambda model, rows: said(rows, RIGHT))
    without = trainer.evaluator.without_images()
    # Training has 3, 2 and 1 of the classes: class 0 is said, which two of six test samples are.
    assert without["everyone"]["accuracy"] == pytest.approx(2 / 6)
    shares = np.array([3, 2, 1]) / 6
    assert without["everyone"]["log_loss"] == pytest.approx(
        -np.log(shares[[0, 1, 2, 0, 1, 2]]).mean()
    )
    # Client 0 says class 0: two of four; client 1 the first of classes 1 and 2: one of two.
    assert without["own"]["accuracy"] == pytest.approx(3 / 6)


def test_the_best_round_is_chosen_by_validation(monkeypatch):
    """Validation falls after round 0 while the test rises: round 0 is the best one."""
    asked = []

    def answer(model, rows):
        asked.append(rows)
        return said(rows, {4, 5, 12} if len(asked) == 1 else set(TESTS))

    metrics = run_metrics(judged(monkeypatch, "fedavg", answer))
    assert (metrics["best"]["round"], metrics["last"]["round"]) == (0, 1)
    assert metrics["best"]["val"]["accuracy"] == 1.0
    assert metrics["best"]["test"]["accuracy"] == 0.0
    assert metrics["last"]["test"]["accuracy"] == 1.0


def test_evaluations_are_compared_by_their_metrics_and_not_by_what_models_said():
    one, other = ({ALL: torch.full((2, 3), share)} for share in (0.2, 0.3))
    assert Evaluation({"val": {"n": 2}}, said_of_all=one) == Evaluation(
        {"val": {"n": 2}}, said_of_all=other
    )
    assert Evaluation({"val": {"n": 2}}, said_of_all=one) != Evaluation({"val": {"n": 3}})


def test_the_saved_model_is_the_servers_whatever_was_last_trained_or_judged(monkeypatch, tmp_path):
    trainer = judged(monkeypatch, "fedavg", lambda model, rows: said(rows, RIGHT))
    server = trainer.server
    server.load(server.model, torch.zeros_like(server.vector), server.buffers)
    write_model(tmp_path / "model.safetensors", trainer)
    saved = load_file(tmp_path / "model.safetensors")
    assert torch.equal(torch.cat([saved[name].flatten() for name in NAMES]), server.vector)


def test_each_channel_is_normalised_by_its_own_numbers():
    """Channel 0 has 0 and 2 in training, channel 1 has 10 and 50: all become −1 and 1."""
    store = small_store(4, classes=2, size=2)
    store.images = np.zeros((4, 2, 2, 2), dtype=np.uint8)
    store.images[:, 0] = np.array([0, 2, 4, 1])[:, None, None]
    store.images[:, 1] = np.array([10, 50, 90, 30])[:, None, None]
    folds = np.array(["train", "train", "val", "test"])
    data = FederatedData(store, Split(store.ids, np.zeros(4, np.int64), folds, "iid", 0, 1))
    assert data.mean == pytest.approx((1 / 255, 30 / 255))
    assert data.std == pytest.approx((1 / 255, 20 / 255))
    inputs = data.double().inputs(torch.arange(4)).numpy()
    assert inputs[:, :, 0, 0] == pytest.approx(
        np.array([[-1, -1], [1, 1], [3, 3], [0, 0]]), abs=1e-5
    )
    assert (inputs == inputs[:, :, :1, :1]).all()
