import pytest

from medfl.errors import MedflError
from medfl.metrics import fairness, to_target


def test_fairness_by_hand():
    result = fairness({"0": 0.9, "1": 0.5, "2": None, "3": 0.7})
    assert result == {
        "mean": pytest.approx(0.7),
        "std": pytest.approx((0.08 / 3) ** 0.5),  # of the population: squares .04, .04, 0 over 3
        "worst": 0.5,
        "worst_client": "1",
        "best": 0.9,
        "jain": pytest.approx(2.1**2 / (3 * (0.81 + 0.25 + 0.49))),
        "n": 3,
        "undefined": ["2"],
    }


@pytest.mark.parametrize(
    ("values", "jain"), [((0.3, 0.3, 0.3), 1), ((1, 0, 0, 0), 0.25), ((0, 0), 1), ((-0.1, 1), None)]
)
def test_jain(values, jain):
    result = fairness({str(i): v for i, v in enumerate(values)})["jain"]
    assert result == (None if jain is None else pytest.approx(jain))


def test_jain_of_tiny_values_does_not_underflow():
    assert fairness({"a": 1e-200, "b": 1e-200})["jain"] == pytest.approx(1)


def test_nobody_has_a_value():
    result = fairness({"a": None})
    assert result["n"] == 0
    assert result["undefined"] == ["a"]
    assert {result[k] for k in ("mean", "std", "worst", "worst_client", "best", "jain")} == {None}


def test_nan_is_refused_by_name():
    with pytest.raises(MedflError, match="client b is nan"):
        fairness({"a": 1.0, "b": float("nan")})


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
