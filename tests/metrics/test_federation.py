"""The spread over clients, where luck has no say in it; and the cost of a target."""

import pytest

from medfl.errors import MedflError
from medfl.metrics import Proportion, fairness, to_target

NUMBERS = ("mean", "std", "worst", "worst_client", "best", "jain")


def share(value, n=20, patients=20):
    """An accuracy on so many samples, whose patients are told apart by nothing."""
    return Proportion(value, n, patients, float(patients))


def shares(*values):
    return {str(number): share(value) for number, value in enumerate(values)}


def test_fairness_by_hand():
    result = fairness(shares(0.9, 0.5) | {"2": Proportion(None, 0, 0), "3": share(0.7, 25, 24)})
    low, high = result.pop("worst_low"), result.pop("worst_high")
    assert low < 0.5 < high
    assert result == {
        "metric": "accuracy",
        "min_test_samples": 1,
        "min_test_patients": 1,
        "mean": pytest.approx(0.7),
        "std": pytest.approx((0.08 / 3) ** 0.5),  # of the population: squares .04, .04, 0 over 3
        "worst": 0.5,
        "worst_client": "1",
        "worst_n_test": 20,
        "worst_patients": 20,
        "best": 0.9,
        "jain": pytest.approx(2.1**2 / (3 * (0.81 + 0.25 + 0.49))),
        "n": 3,
        "left_out": {"2": 0},
        "reason": None,
    }


def test_who_has_few_test_samples_or_one_patient_decides_nothing():
    clients = {
        "0": share(0.8),
        "1": share(0.6, 10, 2),  # just enough of both
        "2": share(0.0, 9, 9),
        "3": share(0.1, 40, 1),
        "4": share(1.0, 9, 9),
    }
    result = fairness(clients, 10, 2)
    assert (result["worst"], result["worst_client"], result["worst_n_test"]) == (0.6, "1", 10)
    assert result["worst_patients"] == 2
    assert (result["best"], result["n"]) == (0.8, 2)
    assert result["mean"] == pytest.approx(0.7)
    assert result["std"] == pytest.approx(0.1)
    assert result["jain"] == pytest.approx(1.4**2 / (2 * (0.64 + 0.36)))
    assert result["left_out"] == {"2": 9, "3": 40, "4": 9}


def test_the_worst_clients_interval_holds_for_all_clients_together():
    """It was picked after looking: with 5 clients, each interval may miss in 1 of 100 cases."""
    result = fairness(shares(0.9, 0.5, 0.8, 0.8, 0.8))
    assert (result["worst_low"], result["worst_high"]) == share(0.5).interval(0.99)


@pytest.mark.parametrize(
    ("values", "jain"), [((0.3, 0.3, 0.3), 1), ((1, 0, 0, 0), 0.25), ((0, 0), 1)]
)
def test_jain(values, jain):
    assert fairness(shares(*values))["jain"] == pytest.approx(jain)


def test_jain_of_tiny_values_does_not_underflow():
    assert fairness(shares(1e-200, 1e-200))["jain"] == pytest.approx(1)


def test_nobody_has_enough():
    result = fairness({"a": share(None, 0), "b": share(1.0, 3, 3)}, 4, 2)
    assert (result["n"], result["left_out"]) == (0, {"a": 0, "b": 3})
    assert {result[key] for key in NUMBERS} == {None}
    assert result["reason"] == "no client has at least 4 test samples of at least 2 patients"
    assert fairness({})["reason"] == "no client has at least 1 test sample"


def test_nan_is_refused_by_name():
    with pytest.raises(MedflError, match="client 1 is nan"):
        fairness(shares(1.0, float("nan")))


HISTORY = [
    {"round": "0", "val_kappa": "0.1", "bytes_total": "0"},
    {"round": "1", "val_kappa": "", "bytes_total": "100"},
    {"round": "2", "val_kappa": "0.6", "bytes_total": "200"},
    {"round": "3", "val_kappa": "0.5", "bytes_total": "300"},
    {"round": "4", "val_kappa": "0.7", "bytes_total": "400"},
]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (0.6, (2, 200)),  # reached exactly, and left again later
        (0.65, (4, 400)),
        (0.05, (0, 0)),  # the untrained model does it
        (0.9, (None, None)),
        (None, (None, None)),
    ],
)
def test_to_target(target, expected):
    assert to_target(HISTORY, target, "val_kappa") == expected


def test_to_target_reads_numbers_and_other_columns():
    rows = [
        {"round": 1, "val_accuracy": None, "bytes_total": 10},
        {"round": 2, "val_accuracy": float("nan"), "bytes_total": 20},
        {"round": 3, "val_accuracy": 0.8, "bytes_total": 30},
    ]
    assert to_target(rows, 0.7, "val_accuracy") == (3, 30)
