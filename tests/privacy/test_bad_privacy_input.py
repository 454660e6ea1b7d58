"""Every unit of protection refuses bad input, from a run file and from Python, in one sentence.

What hostile clients and servers may send is tested with each protocol: secure_aggregation/ and
encryption/ beside this file, and tests/federated/test_refused_updates.py for updates.
"""

from __future__ import annotations

import math
import re

import pytest
import yaml
from federations import Linear, federation, small_store, split_of
from toy_stores import write_small_phantom

from medfl import DPFederatedLearning, FederatedClient, FederatedTrainer
from medfl.cli import main
from medfl.config import FederatedConfig
from medfl.errors import MedflError

UNITS = ("image", "patient", "hospital")
NOISE = {"noise_multiplier": 1.0}
# The section `privacy` of a run, and what is said of it.
WRONG = {
    "no epsilon": ({"target_epsilon": 0.0}, "target_epsilon.*greater than 0"),
    "negative epsilon": ({"target_epsilon": -1.0}, "target_epsilon.*greater than 0"),
    "epsilon nan": ({"target_epsilon": math.nan}, "target_epsilon.*finite"),
    "endless epsilon": ({"target_epsilon": math.inf}, "target_epsilon.*finite"),
    "no delta": ({**NOISE, "target_delta": 0.0}, "target_delta.*greater than 0"),
    "delta one": ({**NOISE, "target_delta": 1.0}, "target_delta.*less than 1"),
    "negative noise": ({"noise_multiplier": -1.0}, "noise_multiplier.*equal to 0"),
    "noise nan": ({"noise_multiplier": math.nan}, "noise_multiplier.*finite"),
    "no bound": ({**NOISE, "max_grad_norm": 0.0}, "max_grad_norm.*greater than 0"),
    "claimed": ({"noise_multiplier": 0.0, "target_epsilon": 8.0}, "keeps to no target_epsilon"),
    "neither": ({}, "needs noise_multiplier, or a target_epsilon"),
}
# 2 rounds of 2 steps spend more than ε .01 with any noise below 100.
SMALL = {"noise_multiplier": 0.5, "target_epsilon": 0.01}
LEARNING = {"num_clients": 3, "rounds": 2, "local_steps": 2, "weighting": "uniform"}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """What `medfl run` says of a section `privacy` or of links, and whether it wrote anything."""
    monkeypatch.chdir(tmp_path)
    write_small_phantom(tmp_path)

    def ask(privacy, links=None):
        content = {
            "dataset": "phantom",
            "partition": "iid",
            "federated_learning": LEARNING,
            "model": {"name": "logistic"},
            "training": {"device": "cpu"},
            **({"chain": {"links": links}} if links else {"privacy": privacy}),
        }
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
        code = main(["run", "--config", "run.yaml", "--output-dir", "one"])
        said = capsys.readouterr().err.strip()
        assert code == 0 or not list((tmp_path / "one").glob("*.*")), "a split at most"
        return code, said

    return ask


def one_sentence(code, said, words):
    assert code == 2
    assert said.startswith("medfl: error: ")
    assert len(said.splitlines()) == 1, said
    assert re.search(words, said), said


@pytest.mark.parametrize("unit", UNITS)
def test_a_run_file_is_refused_in_one_sentence(unit, run):
    for given, words in WRONG.values():
        one_sentence(*run({"differential_privacy": unit, **given}), words)


@pytest.mark.parametrize("unit", UNITS)
def test_a_budget_smaller_than_one_round_is_refused_before_training(unit, run):
    links = {f"dp_{unit}": SMALL}
    if unit == "hospital":
        links["dp_hospital"] = {**SMALL, "max_noise_ratio": 100.0}
    one_sentence(*run({}, links), r"target_epsilon is 0\.01, and one round.* spends")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("case", sorted(WRONG))
def test_from_python_the_same_is_refused(unit, case):
    given, words = WRONG[case]
    with pytest.raises(MedflError, match=f"(?s){words}"):
        trained(unit, given)


def trained(unit, given):
    learning = DPFederatedLearning(
        FederatedConfig(**LEARNING, device="cpu", normalization="group"),
        {"differential_privacy": unit, **given},
    )
    store = small_store(60, size=8)
    learning.train(store, split_of(store, [8, 16, 12]))
    return learning


@pytest.mark.parametrize("unit", UNITS)
def test_a_budget_smaller_than_one_round_from_python(unit):
    given = {**SMALL, **({"max_noise_ratio": 1e9} if unit == "hospital" else {})}
    with pytest.raises(MedflError, match=r"and one round .*spends"):
        trained(unit, given)


@pytest.mark.parametrize("unit", UNITS)
def test_a_delta_of_one_in_n_is_warned_of_in_the_log_of_the_run(unit, run, tmp_path):
    """0.5 is above 1/3 for three hospitals, and above 1/n for each client's images."""
    given = {**NOISE, "target_delta": 0.5}
    if unit == "hospital":
        given["max_noise_ratio"] = 100.0
    code, _ = run({}, {f"dp_{unit}": given})
    assert code == 0
    log = (tmp_path / "one" / "run.log").read_text(encoding="utf-8")
    assert log.count("δ = 0.5 is not below 1/n") == 1


def test_a_client_that_is_there_twice_is_refused():
    trainer = federation(rounds=1)
    again = [*trainer.clients[:2], FederatedClient(1, trainer.data)]
    with pytest.raises(MedflError, match="two of the clients have the same id"):
        FederatedTrainer(trainer.config, trainer.server, again)


@pytest.mark.parametrize("rule", ["sum", "median"])
def test_a_part_of_another_length_is_refused_by_the_clients_name(rule):
    trainer = federation(rounds=1, model=Linear, chain={"rule": rule})
    algorithm = trainer.server.algorithm
    original = algorithm.message

    def shorter(client, model, work):
        parts = original(client, model, work)
        if client.id == 1:
            part = parts["parameters"]
            kept = {"value": part.value[1:], "base": part.base[1:]}
            parts["parameters"] = type(part)(weight=part.weight, **kept)
        return parts

    algorithm.message = shorter
    with pytest.raises(MedflError, match=r"`parameters` of client 1 has the shape \(110,\), and"):
        trainer.train()
