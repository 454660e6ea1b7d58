"""What stands in a grid under two names is refused, and one name has one spelling."""

from __future__ import annotations

import sys

import pytest

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint, validated
from medfl.grid import load_grid
from medfl.partition import parse_partition

OWN = """
from medfl.partition.base import Partition, Value

class Mine(Partition):
    value = Value("width", "2")
"""


def grid(**changes):
    content = {
        "arms_file": None,
        "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["fedavg"],
        "seeds": [0],
        **changes,
    }
    return load_grid(content, "grid.yaml")


@pytest.mark.parametrize(
    ("spellings", "word"),
    [
        (("dirichlet-0.1", "dirichlet-0.10", "dirichlet-1e-1", "dirichlet-.1"), "dirichlet-0.1"),
        (("pathological-2", "pathological-2.0", "pathological-+2"), "pathological-2"),
        (("dirichlet-0.00001", "dirichlet-1e-5"), "dirichlet-0.00001"),
        (("site-dirichlet-0.50", "site-dirichlet-5e-1"), "site-dirichlet-0.5"),
        (("quantity-1.50",), "quantity-1.5"),
        (("dirichlet-1e6", "dirichlet-1000000.0"), "dirichlet-1000000"),
    ],
)
def test_a_partition_has_one_word(spellings, word):
    for spelling in spellings:
        assert parse_partition(spelling).word == word
        assert parse_partition(word).number == parse_partition(spelling).number
        assert grid(partitions=[spelling]).partitions == [word]
    for other in spellings[1:]:
        with pytest.raises(MedflError, match="are one partition"):
            grid(partitions=[spellings[0], other])


def test_a_persons_own_partition_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "two_names.py").write_text(OWN)
    first, second = "two_names:Mine-3", "two_names.Mine-3.0"
    assert parse_partition(second).word == "two_names.Mine-3"
    assert grid(partitions=[second]).partitions == ["two_names.Mine-3"]
    with pytest.raises(MedflError, match=r"two_names.Mine-3 and two_names.Mine-3.0 are one part"):
        grid(partitions=[first, second])
    assert parse_partition("two_names.Mine-1e+300").word == "two_names.Mine-1e+300"
    sys.modules.pop("two_names")


def test_runs_of_one_partition_are_one_run():
    one, other = (FederatedConfig(partition=f"dirichlet-{a}") for a in ("0.1", "1e-1"))
    assert fingerprint(one) == fingerprint(other)
    assert validated(other).partition == "dirichlet-0.1"
    assert fingerprint(one) != fingerprint(FederatedConfig(partition="dirichlet-0.11"))


def test_parameters_of_ones_own_network_are_compared_by_value():
    def known(**params):
        return fingerprint(FederatedConfig(model={"name": "nets:Mine", "params": params}))

    assert known(width=8, rates=[1, 0.5]) == known(width=8.0, rates=[1.0, 0.5])
    assert known(drop=0.001) == known(drop="1e-3")
    assert known(width=8) != known(width=9)
    assert known(flag=True) != known(flag=False)


@pytest.mark.parametrize("seeds", [[0, "0"], [3, 3.0], ["3", 3]])
def test_a_seed_under_two_names(seeds):
    with pytest.raises(MedflError, match="stands there twice"):
        grid(seeds=seeds)


def test_a_dataset_at_its_default_size():
    with pytest.raises(MedflError, match="phantom and phantom-32 are one dataset at one size"):
        grid(datasets=["phantom", "phantom-32"])
    assert grid(datasets=["phantom", "phantom-64"]).datasets == ["phantom", "phantom-64"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"algorithm": "fedprox", "mu": 0.01}, {"algorithm": "fedprox", "mu": "1e-2"}),
        ({"algorithm": "fedavg"}, {"algorithm": "fedavg", "training": {"momentum": 0}}),
        ({"algorithm": "scaffold"}, {"algorithm": "scaffold", "option": 2}),
    ],
)
def test_arms_of_the_same_settings(first, second):
    arms = {"one": first, "two": second, "three": {"algorithm": "fedbn"}}
    with pytest.raises(MedflError, match="one and two have the same algorithm and settings"):
        grid(arms=list(arms), arm_settings=arms)


def test_arms_that_differ_for_one_dataset_are_two():
    arms = {
        "a": {"algorithm": "fedavg"},
        "b": {"algorithm": "fedavg", "training": {"momentum": 0.9}},
    }
    own = {"phantom": {"training": {"momentum": 0.9}}}
    assert grid(arms=["a", "b"], arm_settings=arms).arms == ["a", "b"]
    with pytest.raises(MedflError, match="a and b have the same"):
        grid(arms=["a", "b"], arm_settings=arms, dataset_settings=own)
    both = grid(
        datasets=["phantom", "pneumoniamnist"],
        arms=["a", "b"],
        arm_settings=arms,
        dataset_settings=own,
    )
    assert both.arms == ["a", "b"]
