"""A record's metrics are scikit-learn's to the last digit, on random and degenerate sets."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from medfl.metrics import evaluate
from medfl.metrics.rates import class_rates, cohens_kappa, roc_area

CLASSES = "abcdefghij"


def case(seed, task):
    """Probabilities and labels of up to ten classes, many of them tied or absent."""
    random = np.random.default_rng(seed)
    n, k = int(random.integers(1, 200)), int(random.integers(2, 11))
    logits = random.normal(size=(n, k))
    logits = np.round(logits * 4) / 4 if seed % 2 else logits
    if task == "multilabel":
        share = random.choice([0.0, 0.2, 0.5, 0.9, 1.0], size=k)
        return 1 / (1 + np.exp(-logits)), (random.random((n, k)) < share).astype(int)
    p = np.exp(logits)
    present = random.choice(k, size=int(random.integers(1, k + 1)), replace=False)
    return p / p.sum(axis=1, keepdims=True), random.choice(present, n)


def expected(p, y, task):
    """The main metrics by scikit-learn alone."""
    columns = np.arange(p.shape[1])
    truth, chosen, pairs, loss = y == 1, p >= 0.5, None, None
    if task == "multiclass":
        guess = p.argmax(axis=1)
        truth, chosen = y[:, None] == columns, guess[:, None] == columns
        pairs, right = [(y, guess)], sk.accuracy_score(y, guess)
        loss = sk.log_loss(y, p, labels=columns)
    else:
        pairs = [(truth[:, k], chosen[:, k]) for k in columns if 0 < y[:, k].mean() < 1]
        right = sk.accuracy_score(truth.ravel(), chosen.ravel())
        flat = p.ravel()
        loss = sk.log_loss(y.ravel(), np.stack([1 - flat, flat], axis=1), labels=[0, 1])
    there = [k for k in columns if truth[:, k].any()]
    both = [k for k in there if not truth[:, k].all()]
    return {
        "n": len(p),
        "accuracy": right,
        "balanced_accuracy": mean(sk.balanced_accuracy_score(*pair) for pair in pairs),
        "auc_macro": mean(sk.roc_auc_score(truth[:, k], p[:, k]) for k in both),
        "f1_macro": mean(sk.f1_score(truth[:, k], chosen[:, k]) for k in there),
        "kappa": mean(sk.cohen_kappa_score(*pair) for pair in pairs),
        "log_loss": loss,
    }


def mean(values):
    """The mean of what is defined; None where nothing is."""
    defined = np.array([value for value in values if not np.isnan(value)])
    return defined.mean() if len(defined) else None


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_main_metrics_are_those_of_scikit_learn(seed, task):
    p, y = case(seed, task)
    with warnings.catch_warnings():  # where a metric is undefined
        warnings.simplefilter("ignore")
        assert evaluate(p, y, CLASSES[: p.shape[1]], task, brief=True) == expected(p, y, task)


@pytest.mark.parametrize("seed", range(10))
def test_the_rates_of_classes_are_those_of_scikit_learn(seed):
    p, y = case(seed, "multilabel")
    truth, chosen = y == 1, p >= 0.5
    found = class_rates(truth, chosen)
    for k in np.flatnonzero(truth.any(axis=0)):
        precision, sensitivity, f1, _ = sk.precision_recall_fscore_support(
            truth[:, k], chosen[:, k], average="binary", zero_division=0
        )
        assert [found[name][k] for name in ("precision", "sensitivity", "f1")] == [
            precision,
            sensitivity,
            f1,
        ]
        if not truth[:, k].all():
            assert found["specificity"][k] == sk.recall_score(~truth[:, k], ~chosen[:, k])
    absent = ~truth.any(axis=0)
    assert all(np.isnan(values[absent]).all() for values in found.values())


@pytest.mark.parametrize(
    ("scores", "positive", "area"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),  # three of four pairs are in order
        ([0.5, 0.5, 0.5], [0, 1, 1], 0.5),  # all are tied
        ([0.9, 0.1], [1, 0], 1.0),
        ([0.1, 0.9], [1, 0], 0.0),
    ],
)
def test_the_area_by_hand(scores, positive, area):
    assert roc_area(np.array(scores), np.array(positive, bool)) == area


def test_what_is_undefined_is_nan():
    assert np.isnan(roc_area(np.array([0.1, 0.2]), np.array([True, True])))
    assert np.isnan(roc_area(np.array([0.1, 0.2]), np.array([False, False])))
    alike = np.eye(3, dtype=bool)[[1, 1]]
    assert np.isnan(cohens_kappa(alike, alike))


def test_kappa_by_hand():
    truth, chosen = np.eye(3, dtype=bool)[[0, 0, 1, 2]], np.eye(3, dtype=bool)[[0, 1, 1, 0]]
    # Two of four agree; by chance 2/4 · 2/4 + 1/4 · 2/4 + 1/4 · 0 = 3/8 would.
    assert cohens_kappa(truth, chosen) == pytest.approx((0.5 - 3 / 8) / (1 - 3 / 8))


def test_certain_answers_cost_what_scikit_learn_says():
    p, y = np.array([[1.0, 0], [1, 0], [0.5, 0.5]]), np.array([0, 1, 0])
    assert evaluate(p, y, "ab")["log_loss"] == sk.log_loss(y, p)
    assert evaluate(np.ones((2, 1)), [0, 0], "a")["log_loss"] == 0
