"""What a metric is worth where no image is looked at, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from federations import federation, small_store, split_of

from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.metrics import evaluate
from medfl.metrics.primary import class_shares, primary_metric


def test_the_metric_is_chosen_by_the_task_unless_it_is_given():
    assert primary_metric("auto", "multiclass") == "balanced_accuracy"
    assert primary_metric("auto", "multilabel") == "auc_macro"
    assert primary_metric("accuracy", "multilabel") == "accuracy"


def test_class_shares_give_the_majority_line_and_the_chance_line():
    train, test = np.array([1, 1, 1, 0, 2]), np.array([0, 1, 1, 2, 2])
    shares = class_shares(train, 4, "multiclass")
    assert shares.tolist() == [0.2, 0.6, 0.2, 0]
    found = evaluate(np.tile(shares, (5, 1)), test, ("a", "b", "c", "d"))
    assert found["accuracy"] == 2 / 5, "always the class b"
    assert found["balanced_accuracy"] == pytest.approx(1 / 3), "over the three classes there are"
    assert (found["auc_macro"], found["kappa"]) == (0.5, 0)
    assert found["f1_macro"] == pytest.approx(2 * 2 / (2 + 5) / 3)


def test_shares_of_labels_answer_each_label_by_its_majority():
    train = np.array([[1, 0], [1, 0], [0, 0], [1, 1]])
    shares = class_shares(train, 2, "multilabel")
    assert shares.tolist() == [0.75, 0.25]
    test = np.array([[1, 0], [0, 0], [1, 1]])
    found = evaluate(np.tile(shares, (3, 1)), test, ("a", "b"), "multilabel")
    assert found["accuracy"] == pytest.approx((2 + 2) / 6)
    assert (found["balanced_accuracy"], found["auc_macro"]) == (0.5, 0.5)


def test_own_shares_know_more_than_everyones():
    """Each of two clients has one class nearly alone, in training and in the test."""
    store = small_store(40, classes=2, size=8)
    split = split_of(store, [12, 12])
    store.labels = split.clients.copy()
    store.labels[[0, 1, 12]] = 1, 1, 0  # training: client 0 has two of class 1, client 1 one of 0
    tests = np.flatnonzero(split.folds == "test")
    store.labels[tests[0]] = 1 - store.labels[tests[0]]
    data = FederatedData(store, split)
    config = federation(sizes=(12, 12)).config
    server = FederatedServer(config, data)
    trainer = FederatedTrainer(config, server, [FederatedClient(k, data) for k in (0, 1)])
    found = trainer.evaluator.without_images()
    assert len(tests) == 8
    assert found["own"]["accuracy"] == 7 / 8
    # Of all training images 11 have class 0, and 13 class 1, as have 3 or 5 of the tests.
    assert found["everyone"]["accuracy"] == np.mean(store.labels[tests] == 1)
    assert found["everyone"]["balanced_accuracy"] == 0.5
    assert found["own"]["balanced_accuracy"] > 0.8
