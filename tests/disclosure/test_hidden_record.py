"""What is left of metrics and records: by hand, and by a linear program that tries the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_cells import interval

from medfl.disclosure.record import (
    metrics_to_publish,
    record_to_publish,
    round_to_publish,
    row_to_publish,
)
from medfl.disclosure.split import HiddenCells, hide_in_split
from medfl.metrics.medical import evaluate

CLASSES = 4


def hidden_of(minimum: int = 10, clients: int = 3, each: int = 400) -> HiddenCells:
    """No cell of the split is small."""
    labels = np.full((clients, 3, CLASSES), each)
    return hide_in_split(labels.sum(2), labels.sum(2), labels, minimum)


def metrics_of(confusion: Any) -> dict[str, Any]:
    """All metrics of predictions with this matrix."""
    matrix = np.asarray(confusion)
    truth = np.repeat(np.arange(len(matrix)), matrix.sum(1))
    said = np.concatenate([np.repeat(np.arange(len(matrix)), row) for row in matrix])
    sure = np.eye(len(matrix))[said]
    return evaluate(sure, truth, [f"class{k}" for k in range(len(matrix))])


def masked(content: dict[str, Any]) -> np.ndarray:
    return np.array([[one is None for one in row] for row in content["confusion"]])


def test_small_cells_off_the_diagonal_go_with_a_rectangle_and_all_metrics_stay():
    matrix = [[300, 4, 30, 40], [25, 310, 20, 33], [31, 22, 290, 21], [24, 35, 26, 280]]
    metrics = metrics_of(matrix)
    told = metrics_to_publish(metrics, hidden_of(), "test")
    gone = masked(told)
    assert gone[0, 1]
    assert gone.sum() == 4
    assert not np.diag(gone).any()
    low, high = interval(np.array(matrix, float), gone, (0, 1))
    assert high - low >= 10
    assert {**told, "confusion": 0} == {**metrics, "confusion": 0}
    # All metrics are of the diagonal and the totals: another matrix with these has the same.
    other = np.array(matrix)
    rows, columns = np.unique(np.argwhere(gone)[:, 0]), np.unique(np.argwhere(gone)[:, 1])
    sign = np.where(np.equal.outer(rows == 0, columns == 1), 1, -1)
    other[np.ix_(rows, columns)] += 4 * sign
    again = metrics_of(other)
    for name in ("accuracy", "balanced_accuracy", "kappa", "f1_macro", "precision_macro"):
        assert again[name] == pytest.approx(metrics[name], abs=1e-12)
    assert again["confusion"] != metrics["confusion"]


@pytest.mark.parametrize(
    "matrix",
    [
        np.full((4, 4), 4) + 296 * np.eye(4, dtype=int),  # each rectangle is 8 wide
        [[8, 92, 0, 0], [15, 315, 15, 15], [20, 20, 300, 20], [20, 20, 20, 300]],  # few right
        [[390, 3, 0, 0], [0, 315, 15, 15], [0, 20, 300, 20], [0, 20, 20, 300]],  # few missed
    ],
)
def test_where_a_rectangle_does_not_suffice_the_matrix_and_its_shares_go(matrix):
    metrics = metrics_of(matrix)
    told = metrics_to_publish(metrics, hidden_of(), "test")
    assert told["confusion"] is None
    for name, found in told["per_class"].items():
        assert found["n"] == metrics["per_class"][name]["n"]
        assert found["auc"] == metrics["per_class"][name]["auc"]
        assert {found[key] for key in ("sensitivity", "specificity", "precision", "f1")} == {None}
    assert told["accuracy"] == metrics["accuracy"]


def test_two_classes_have_no_rectangle():
    labels = np.full((2, 3, 2), 400)
    hidden = hide_in_split(labels.sum(2), labels.sum(2), labels, 10)
    assert metrics_to_publish(metrics_of([[90, 4], [20, 80]]), hidden, "test")["confusion"] is None
    kept = metrics_to_publish(metrics_of([[90, 14], [20, 80]]), hidden, "test")
    assert kept == metrics_of([[90, 14], [20, 80]])


def test_labels_that_go_together_keep_no_shares_of_few():
    truth = np.array([[1, 0]] * 40 + [[0, 1]] * 50 + [[0, 0]] * 60)
    said = truth.astype(float)
    said[:3, 0] = 0.2  # three of the first label are missed
    metrics = evaluate(said, truth, ["a", "b"], "multilabel")
    labels = np.full((2, 3, 2), 400)
    hidden = hide_in_split(labels.sum(2), labels.sum(2), labels, 10)
    told = metrics_to_publish(metrics, hidden, "test")
    assert told["per_class"]["b"]["sensitivity"] is None  # else the mean would give a's
    assert told["per_class"]["a"]["n"] == 40
    assert "confusion" not in told


def test_a_class_of_few_test_samples_is_not_named_in_numbers():
    labels = np.full((2, 3, CLASSES), 400)
    labels[:, 2, 1] = 3  # six test samples of class1
    hidden = hide_in_split(labels.sum(2), labels.sum(2), labels, 10)
    matrix = np.full((4, 4), 20)
    matrix[1] = (1, 3, 1, 1)
    told = metrics_to_publish(metrics_of(matrix), hidden, "test")
    assert set(told["per_class"]["class1"].values()) == {None}
    assert sum(found["n"] is None for found in told["per_class"].values()) == 2
    assert told["confusion"] is None


def test_no_remark_says_that_a_class_of_few_was_never_predicted():
    labels = np.full((2, 3, CLASSES), 400)
    labels[:, 2, 1] = 3
    hidden = hide_in_split(labels.sum(2), labels.sum(2), labels, 10)
    metrics = metrics_of([[20, 0, 20, 20], [2, 0, 2, 2], [20, 0, 20, 20], [0, 0, 0, 0]])
    assert [words.split(":")[0] for words in metrics["undefined"]] == ["class1", "class3"]
    told = metrics_to_publish(metrics, hidden, "test")
    assert not [words for words in told["undefined"] if words.startswith("class1")]


FULL = np.full((3, 3, CLASSES), 400)


def with_few(client: Any, fold: int) -> HiddenCells:
    labels = FULL.copy()
    labels[client, fold, 1] = 2
    return hide_in_split(labels.sum(2), labels.sum(2), labels, 10)


@pytest.mark.parametrize(
    ("hidden", "everyone", "own"),
    [
        (hidden_of(), set(), set()),
        (with_few(0, 0), set(), {"accuracy", "balanced_accuracy", "f1_macro", "log_loss"}),
        (with_few(slice(None), 2), {"accuracy", "f1_macro", "log_loss"}, {"balanced_accuracy"}),
        (with_few(slice(None), 0), {"log_loss"}, {"balanced_accuracy"}),
    ],
)
def test_answers_without_images_do_not_tell_the_counts_that_they_are_made_of(hidden, everyone, own):
    names = ("accuracy", "balanced_accuracy", "f1_macro", "log_loss")
    said = {"n": 4800, **dict.fromkeys(names, 0.25)}
    given = record() | {"without_images": {"own": said, "everyone": said}}
    told = record_to_publish(given, hidden, True)["without_images"]
    assert {name for name in names if told["everyone"][name] is None} == everyone
    assert own <= {name for name in names if told["own"][name] is None}
    assert (told["own"] == said) == (not own)


def test_the_log_loss_of_shares_alone_gives_their_counts():
    """Three classes, 111 training and 32 test samples: of all counts that add up, few fit."""
    train, test = np.array([16, 68, 27]), np.array([4, 20, 8])
    found = -(test * np.log(train / 111)).sum() / 32
    fits = set()
    for a in range(1, 110):
        for c in range(1, 111 - a):
            b = 111 - a - c
            for k in range(13):
                loss = k * np.log(a / 111) + 20 * np.log(b / 111) + (12 - k) * np.log(c / 111)
                if abs(-loss / 32 - found) < 1e-13:
                    fits.add((k, 12 - k))
    assert fits == {(0, 12), (12, 0), (4, 8), (8, 4)}


def test_rounds_do_not_tell_the_steps_of_clients_whose_size_is_hidden():
    """Two of three clients a round; who they are follows from the seed."""
    few = FULL.copy()
    few[1, 0] = 2  # eight training samples: at a batch of 2, four steps
    hidden = hide_in_split(few.sum(2), few.sum(2), few, 10)
    row = {"round": 1, "participants": 2, "steps": 804, "gradients": 804}
    assert round_to_publish(row, hidden, False) == row | {"steps": None, "gradients": None}
    assert round_to_publish(row, hidden, True) == row
    passes = row | {"gradients": 1604}  # SCAFFOLD's option I
    assert round_to_publish(passes, hidden, True) == passes | {"gradients": None}
    assert round_to_publish(passes, hidden_of(), False) == passes
    assert record_to_publish(record() | {"steps": 9}, hidden, False)["steps"] is None
    assert record_to_publish(record() | {"steps": 9}, hidden, True)["steps"] == 9


def record() -> dict[str, Any]:
    test = {"n": 4, "accuracy": 0.5}
    return {
        "last": {"round": 3, "test": metrics_of(np.full((4, 4), 100))},
        "best": None,
        "without_images": {"own": {"n": 1200, "accuracy": 0.25}, "everyone": None},
        "clients": {
            str(k): {"n_train": 99, "n_test": 4, "test_patients": 4, "steps": 7, "test": test}
            for k in range(3)
        },
        "fairness": {"worst": 0.5, "left_out": {"1": 4, "2": 11}},
        "heterogeneity": {},
        "provenance": {"split_left_out": 3, "device": "cpu"},
    }


def test_a_record_says_nothing_of_a_client_with_few_test_samples():
    labels = np.full((3, 3, CLASSES), 10)
    labels[:, 0] = 20
    labels[1, 2] = 1  # four test samples at client 1
    hidden = hide_in_split(labels.sum(2), labels.sum(2), labels, 10)
    other = next(iter(hidden.untested - {"1"}))
    told = record_to_publish(record(), hidden, True)
    nothing = {"n": None, "accuracy": None}  # as of a client without test samples
    assert told["clients"]["1"] == {
        "n_train": 99, "n_test": None, "test_patients": None, "steps": 7, "test": nothing,
    }  # fmt: skip
    assert told["clients"][other]["test"] == nothing  # it would give client 1's by subtraction
    assert told["fairness"]["left_out"]["1"] is None
    assert told["provenance"] == {"split_left_out": None, "device": "cpu"}
    assert told["minimum_cell"] == 10
    assert record_to_publish(told, hidden, True) == told


def test_a_row_of_clients_keeps_what_links_say():
    labels = np.full((3, 3, CLASSES), 10)
    labels[1, 0] = 2  # eight training samples at client 1
    hidden = hide_in_split(labels.sum(2), labels.sum(2), labels, 10)
    row = {"round": 2, "client": 1, "fold": "val", "n": 40, "accuracy": 0.5}
    row |= {"train_samples": 8, "steps": 2, "epsilon": 3.0}
    measured = frozenset(row) - {"epsilon"}
    told = row_to_publish(row, hidden, measured)
    assert hidden.sizes[1, 0]
    assert told["train_samples"] is None
    assert told["steps"] is None
    assert told["epsilon"] == 3.0
    gone = hidden.client(1, "val")
    assert (told["accuracy"] is None) == (told["n"] is None) == gone
    assert (told["round"], told["client"], told["fold"]) == (2, 1, "val")
