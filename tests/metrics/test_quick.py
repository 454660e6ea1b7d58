"""The metrics of a run in training against scikit-learn's, on random and degenerate sets."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.metrics import medical, quick

CLASSES = ("a", "b", "c", "d")


def softmax(logits):
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True)


def agree(p, y, classes=CLASSES, task="multiclass"):
    found = quick.evaluate_quickly(p, y, classes, task)
    expected = medical.evaluate(p, y, classes, task, brief=True)
    assert [name for name in found if found[name] is None] == [
        name for name in expected if expected[name] is None
    ]
    # scikit-learn takes a certain answer for one of 1 - 2⁻⁵², which costs as much log loss.
    for name, value in expected.items():
        assert value is None or found[name] == pytest.approx(value, rel=1e-12, abs=1e-15), name
    return found


@pytest.mark.parametrize("seed", range(20))
def test_random_classes(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 80))
    present = random.choice(4, size=int(random.integers(1, 5)), replace=False)
    y = random.choice(present, n)
    logits = random.normal(size=(n, 4)) + np.eye(4)[y]
    # Quarter steps give many tied scores, some of them tied between classes too.
    agree(softmax(np.round(logits * 4) / 4 if seed % 2 else logits), y)


@pytest.mark.parametrize("seed", range(20))
def test_random_labels(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 80))
    share = random.choice([0.0, 0.2, 0.5, 0.9, 1.0], size=4)
    y = (random.random((n, 4)) < share).astype(np.int64)
    p = np.clip(0.3 * y + 0.8 * random.random((n, 4)), 0, 1)
    agree(np.round(p, 1) if seed % 2 else p, y, task="multilabel")


@pytest.mark.parametrize(
    ("p", "y"),
    [
        ([[0.25, 0.25, 0.25, 0.25]], [2]),  # one sample, all tied
        ([[1.0, 0, 0, 0], [0, 0, 0, 1.0]], [0, 0]),  # certain: once right, once wrong
        ([[0.5, 0.5, 0, 0]] * 3, [3, 3, 3]),  # the only class there is never predicted
        ([[0.1, 0.2, 0.3, 0.4]] * 4, [0, 1, 2, 3]),  # a model that always says the same
    ],
)
def test_degenerate_classes(p, y):
    agree(np.array(p), np.array(y))


@pytest.mark.parametrize(
    ("p", "y"),
    [
        ([[0.5, 0.5]], [[1, 0]]),  # exactly on the threshold
        ([[0.0, 1.0], [1.0, 0.0]], [[1, 0], [1, 0]]),  # certain and wrong, and each label constant
        ([[0.3, 0.9], [0.3, 0.1]], [[0, 1], [1, 0]]),  # one label tied, one perfect
    ],
)
def test_degenerate_labels(p, y):
    agree(np.array(p), np.array(y), ("x", "y"), "multilabel")


def test_a_single_class_or_label():
    assert agree(np.ones((3, 1)), np.zeros(3, int), ("only",)) == {
        "n": 3,
        "accuracy": 1,
        "balanced_accuracy": 1,
        "auc_macro": None,
        "f1_macro": 1,
        "kappa": None,
        "log_loss": pytest.approx(0, abs=1e-15),
    }
    found = agree(np.array([[0.9], [0.2]]), np.array([[1], [1]]), ("only",), "multilabel")
    assert (found["accuracy"], found["balanced_accuracy"]) == (0.5, None)


def test_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.2, 0.6, 0.2], [0.6, 0.3, 0.1]])
    found = quick.evaluate_quickly(p, np.array([0, 0, 1, 2]), ("a", "b", "c"))
    assert found["accuracy"] == 0.5
    assert found["balanced_accuracy"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["auc_macro"] == pytest.approx((3 / 4 + 1 + 1 / 3) / 3)
    # The second of the first class is called b, and the only one of c is called a.
    assert found["f1_macro"] == pytest.approx((2 * 1 / (2 + 2) + 2 * 1 / (1 + 2) + 0) / 3)
    # Two of four agree; by chance 2/4 · 2/4 + 1/4 · 2/4 + 1/4 · 0 = 3/8 would.
    assert found["kappa"] == pytest.approx((0.5 - 3 / 8) / (1 - 3 / 8))
    assert found["log_loss"] == pytest.approx(-np.log(0.7 * 0.4 * 0.6 * 0.1) / 4)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_nothing_to_judge(task):
    y = np.zeros((0, 4) if task == "multilabel" else 0, int)
    assert agree(np.zeros((0, 4)), y, task=task)["n"] == 0


def test_bad_input_is_refused_alike():
    for measure in (quick.evaluate_quickly, medical.evaluate):
        with pytest.raises(MedflError, match="NaN"):
            measure(np.array([[np.nan, 1.0]]), np.array([0]), ("a", "b"))
        with pytest.raises(MedflError, match="outside 0 to 1"):
            measure(np.array([[0.5, 0.5]]), np.array([2]), ("a", "b"))


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from federations import federation
import medfl.federated.run, medfl.federated.outcome
trainer = federation(rounds=2, evaluate_every=1)
trainer.train()
medfl.federated.outcome.run_metrics(trainer)
heavy = {{"sklearn", "pandas", "matplotlib", "scipy.stats"}} & set(sys.modules)
assert not heavy, heavy
"""


def test_neither_a_run_nor_its_record_imports_what_takes_long():
    script = SCRIPT.format(tests="tests")
    subprocess.run([sys.executable, "-c", script], check=True)
