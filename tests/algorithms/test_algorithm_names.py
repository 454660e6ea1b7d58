"""Algorithms by name, and a user's own."""

from __future__ import annotations

import sys

import pytest
import torch
from federations import ALGORITHMS as SHARED
from federations import federation, models

from medfl.algorithms import ALGORITHMS, FederatedAlgorithm
from medfl.errors import MedflError

MINE = '''
from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.base import HyperParams

class Half(FedAvg):
    """Goes half of the way."""

    class Params(HyperParams):
        part: float = 0.5

    def step(self, total):
        self.server.vector.lerp_(total["parameters"].mean, self.params.part)

class NotOne:
    pass
'''


@pytest.mark.parametrize("name", ALGORITHMS.available())
def test_every_name_has_a_documented_class(name):
    kind = ALGORITHMS.load(name)
    assert issubclass(kind, FederatedAlgorithm)
    assert kind.__name__.lower() == name
    assert kind.__doc__
    assert kind.statistics
    assert kind.Params.__doc__


def test_every_algorithm_is_in_the_shared_suites():
    """The identities run over ``federations.ALGORITHMS``, whose keys may end in a variant."""
    tried = {name if name in ALGORITHMS else name.rsplit("-", 1)[0] for name in SHARED}
    assert tried == set(ALGORITHMS)


def test_a_typo_is_answered():
    with pytest.raises(MedflError, match="unknown algorithm `fedprx`; did you mean `fedprox`"):
        ALGORITHMS.load("fedprx")


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("fedprox", {"muu": 1}, "here: unknown key `muu`; did you mean `mu`?"),
        ("fedprox", {"mu": -1}, "greater than or equal to 0"),
        ("fedprox", {"mu": float("nan")}, "finite"),
        ("fedavg", {"mu": 1}, "unknown key `mu`"),
        ("scaffold", {"option": 3}, "`option`"),
        ("feddyn", {"alpha": 0}, "greater than 0"),
        ("fedadam", {"beta1": 1.0}, "less than 1"),
        ("moon", {"temperature": 0}, "greater than 0"),
        ("fedexp", {"epsilon": 0}, "greater than 0"),
        ("qfedavg", {"q": -1}, "greater than or equal to 0"),
        ("feddgga", {"step_size": -0.1}, "greater than or equal to 0"),
        ("fedlws", {"beta": -1}, "greater than or equal to 0"),
        ("fedlc", {"tau": -0.5}, "greater than or equal to 0"),
    ],
)
def test_wrong_hyper_parameters_are_named(name, params, message):
    with pytest.raises(MedflError, match="here") as error:
        ALGORITHMS.check_params(name, params, "here")
    assert message in str(error.value)
    with pytest.raises(MedflError):
        ALGORITHMS.create(name, params)


@pytest.fixture
def _my_module(tmp_path, monkeypatch):
    (tmp_path / "my_algorithms.py").write_text(MINE)
    (tmp_path / "my_mistake.py").write_text("class Half(:")
    sys.modules.pop("my_algorithms", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("my_algorithms", None)


@pytest.mark.usefixtures("_my_module")
def test_a_class_of_the_user():
    name = "my_algorithms:Half"
    plain = models(federation(rounds=1))
    half = models(federation(name, rounds=1))
    whole = models(federation(name, {"part": 1.0}, rounds=1))
    assert torch.allclose(half[1], (plain[0] + plain[1]) / 2, rtol=0, atol=1e-12)
    assert torch.allclose(whole[1], plain[1], rtol=0, atol=1e-12)
    assert federation(name).config.arm == "Half"
    with pytest.raises(MedflError, match="unknown key `prt`; did you mean `part`"):
        federation(name, {"prt": 1})


@pytest.mark.usefixtures("_my_module")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_algorithms:Hlaf", "cannot be loaded"),
        ("nowhere_to_be_found:Half", "cannot be loaded"),
        ("my_algorithms:NotOne", "not a subclass"),
        ("my_mistake:Half", "SyntaxError.*my_mistake.py, line 1"),
    ],
)
def test_a_class_that_is_none(name, message):
    with pytest.raises(MedflError, match=message):
        ALGORITHMS.load(name)
