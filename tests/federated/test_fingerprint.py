"""Which settings make two runs one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pydantic import BaseModel, Field

from medfl.algorithms.registry import ALGORITHMS
from medfl.config import FederatedConfig, Section, deciding, neutral
from medfl.errors import MedflError
from medfl.federated.fingerprint import differences, fingerprint, validated

# The keys that every fingerprint holds. This list is closed: whoever adds a key says in its Field
# at which value a run is what it was before (`json_schema_extra=neutral(...)`, or `PLACE`), so that
# all results that are there stay valid.
ALWAYS = """
dataset partition arm seed
split: min_samples val_fraction test_fraction official_folds
federated_learning: algorithm algorithm_params num_clients clients_per_round rounds local_epochs
    local_steps weighting evaluate_every
model: name normalization pretrained fusion
training: batch_size patch optimizer learning_rate momentum weight_decay lr_schedule lr_gamma
    lr_milestones warmup_rounds clip_norm mixed_precision
augmentation: preset strength flip_horizontal flip_vertical flip_depth affine_probability rotation
    scale shift shear elastic_probability elastic padding blur_probability blur
    low_resolution_probability low_resolution bias_field_probability bias_field stain_probability
    stain colour_probability colour tone_probability brightness contrast gamma noise_probability
    noise noise_kind cutout_probability cutout mixup cutmix
privacy: mechanism
"""
# The same of hyper-parameters, for the algorithms that had results when the list was closed.
ALWAYS_PARAMS = {
    "fedavg": "",
    "fedprox": "mu",
    "fednova": "mu",
    "scaffold": "option control_weights server_learning_rate",
    "fedbn": "",
    "fedavgm": "server_learning_rate server_momentum",
    "fedadam": "server_learning_rate beta1 beta2 tau",
    "fedyogi": "server_learning_rate beta1 beta2 tau",
    "fedadagrad": "server_learning_rate beta1 beta2 tau",
    "fedexp": "epsilon average_iterates",
    "qfedavg": "q",
    "feddgga": "step_size",
    "fedlws": "beta min_tau max_tau",
    "feddyn": "alpha",
    "moon": "mu temperature",
    "fedlc": "tau",
    "ditto": "lam",
    "finetune": "epochs",
    "centralized": "",
    "local": "",
}


def listed(text: str) -> set[str]:
    """The words of a list, each after the section that it stands in."""
    words, section = set(), ""
    for word in text.split():
        if word.endswith(":"):
            section = word[:-1] + "."
        else:
            words.add(section + word)
    return words


def declared(kind: type[BaseModel], path: str = "") -> set[str]:
    """The keys of a class, and of the sections in it, that say no neutral value."""
    found = set()
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= declared(inner, f"{path}{name}.")
        elif not {"neutral", "decides"} & set(field.json_schema_extra or {}):
            found.add(path + name)
    return found


def test_a_key_that_is_added_says_its_neutral_value():
    assert declared(FederatedConfig) == listed(ALWAYS)
    for algorithm, keys in ALWAYS_PARAMS.items():
        assert declared(ALGORITHMS.load(algorithm).Params) == set(keys.split())


def test_fingerprints_of_results_that_are_there_still_hold():
    # As medfl gives them since the target is one of the primary metric.
    assert fingerprint(FederatedConfig()) == (
        "f038658be98f40707e93f2425f5a59923e82e677cd4935e889d8f53ff72d78d0"
    )
    other = FederatedConfig(
        algorithm="fedprox",
        algorithm_params={"mu": 0.1},
        rounds=7,
        learning_rate=0.2,
        model="resnet18",
        patch=[16, 24],
        augmentation={"preset": "xray", "rotation": 5},
        seed=3,
        num_clients=None,
        partition="site",
        device="cuda:1",
    )
    assert fingerprint(other) == "f9a1632fb780eded81dcd6b1ab7e80b5e88a60d1af62e0ca9f15fa105857b40a"


def test_where_a_run_is_computed_is_not_part_of_it():
    config = FederatedConfig()
    places = {"device": "cuda:1", "threads": 2, "images": "disk", "memory_limit": 1.5}
    assert fingerprint(config) == fingerprint(FederatedConfig(**places))
    assert fingerprint(config) == fingerprint(FederatedConfig(workers=4))
    for change in ({"seed": 1}, {"rounds": 3}, {"partition": "iid"}, {"batch_size": 31}):
        assert fingerprint(FederatedConfig(**change)) != fingerprint(config)


class Noise(Section):
    multiplier: float = Field(0.0, json_schema_extra=neutral(0.0))
    delta: float = Field(1e-5, json_schema_extra=neutral(1e-5))


class Old(Section):
    rounds: int = 3


class New(Old):
    """The same configuration, some months later."""

    noise: Noise = Noise()
    dropout: float | None = Field(None, json_schema_extra=neutral(None))


def test_a_new_key_and_a_new_section_are_left_out_at_their_neutral_values():
    assert deciding(New()) == deciding(Old()) == {"rounds": 3}
    assert deciding(New(dropout=0.0)) == {"rounds": 3, "dropout": 0.0}
    assert deciding(New(noise={"multiplier": 1})) == {"rounds": 3, "noise": {"multiplier": 1.0}}


def prox(**params) -> FederatedConfig:
    return FederatedConfig(algorithm="fedprox", algorithm_params=params)


@pytest.mark.parametrize(
    ("one", "other"),
    [({"mu": 0.001}, {"mu": "1e-3"}), ({"mu": 1}, {"mu": 1.0}), ({}, {"mu": 0.01})],
)
def test_a_number_may_be_written_in_several_ways(one, other):
    assert fingerprint(prox(**one)) == fingerprint(prox(**other))
    assert differences(prox(**one), prox(**other)) == []
    assert validated(prox(**one)) == validated(prox(**other))
    [value] = validated(prox(**other)).federated_learning.algorithm_params.values()
    assert isinstance(value, float)


SETS = """
from typing import Any

from medfl.algorithms.fedavg import FedAvg
from medfl.registry import HyperParams


class Mine(FedAvg):
    class Params(HyperParams):
        mode: float | int = 1
        free: Any = 1
        rate: float = 1
        layers: frozenset[str] = frozenset({"head", "body", "stem", "tail"})
        pairs: dict[str, list[frozenset[int]]] = {}
"""
SHOW = """
from medfl.config import FederatedConfig
from medfl.federated.fingerprint import fingerprint, validated
params = {"pairs": {"a": [[3, 1, 2], [20, 10]]}}
config = FederatedConfig(algorithm="own_sets:Mine", algorithm_params=params)
print(fingerprint(config), validated(config).federated_learning.algorithm_params)
"""


@pytest.fixture
def own(own_module):
    own_module("own_sets", SETS)
    return lambda **params: FederatedConfig(algorithm="own_sets:Mine", algorithm_params=params)


def test_a_number_that_may_be_whole_or_not_counts_once(own):
    plain = fingerprint(own())
    for one in ({"mode": 1}, {"mode": 1.0}, {"free": 1.0}, {"rate": 1}):
        assert fingerprint(own(**one)) == plain
        assert differences(own(**one), own()) == []
    others = [fingerprint(own(**{key: 1.5})) for key in ("mode", "free", "rate")]
    assert len({plain, *others}) == 4


def test_a_set_counts_the_same_in_every_process(own):
    """Python's order of a set of texts follows PYTHONHASHSEED."""
    said = set()
    for seed in "123":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", SHOW]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1
    assert "'layers': ['body', 'head', 'stem', 'tail']" in said.pop()
    one, other = {"layers": ["head", "body"]}, {"layers": ["body", "head", "body"]}
    assert fingerprint(own(**one)) == fingerprint(own(**other)) != fingerprint(own())


def test_numbers_of_an_own_network_count_at_any_depth():
    def of(*rates):
        params = {"rates": list(rates), "more": {"rate": rates[0]}}
        return FederatedConfig(model={"name": "my_nets:Net", "params": params})

    assert fingerprint(of("1e-3", 1.0)) == fingerprint(of(0.001, 1))
    assert of("1e-3").model.params == {"rates": [0.001], "more": {"rate": 0.001}}
    assert of("1.5e3", ".5E-1", "e1", "one", "010").model.params["rates"] == [
        1500.0,
        0.05,
        "e1",
        "one",
        "010",
    ]


def test_differences_are_all_named():
    assert differences(prox(mu=1), prox(mu=2)) == [
        "federated_learning.algorithm_params.mu: 1.0, now 2.0"
    ]
    assert set(differences(prox(), FederatedConfig(rounds=3, patch=8))) == {
        "arm: 'fedprox', now 'fedavg'",
        "federated_learning.algorithm: 'fedprox', now 'fedavg'",
        "federated_learning.algorithm_params.mu: 0.01, now left out",
        "federated_learning.rounds: 20, now 3",
        "training.patch: None, now 8",
    }


def test_a_hyper_parameter_that_is_none_has_no_fingerprint():
    with pytest.raises(MedflError, match=r"algorithm_params: unknown key `nu`; known: mu"):
        fingerprint(prox(nu=1))


def test_a_chain_counts_as_its_links_read_it():
    """An empty chain is as no section; `1` is `1.0`; a default given is a default left out."""

    def of(**chain):
        return fingerprint(FederatedConfig(chain=chain))

    plain = fingerprint(FederatedConfig())
    assert of() == of(links={}, rule="sum", rule_params={}) == plain
    clipped = of(links={"clip": {"norm": 1.0}})
    assert of(links={"clip": {"norm": 1}}) == of(links={"clip": {"norm": "1e0"}}) == clipped
    assert of(links={"clip": None}) == clipped
    others = [clipped, of(links={"clip": {"norm": 2}}), of(links={"quantize": {}})]
    assert len({plain, *others, of(rule="median")}) == 5
    both = {"clip": {"norm": 1}, "quantize": {"bits": 8}}
    assert of(links=both) == of(links=dict(reversed(both.items())))
    read = validated(FederatedConfig(chain={"links": {"clip": {"norm": "1e-1"}}}))
    assert read.chain.links == {"clip": {"norm": 0.1}}
    with pytest.raises(MedflError, match=r"chain\.links\.clip: unknown key `nrm`"):
        of(links={"clip": {"nrm": 1}})


OWN = """
from pydantic import Field
from torch import nn
from medfl import FederatedAlgorithm
from medfl.chain import Link, Rule
from medfl.chain.combine import WeightedSum
from medfl.config import neutral
from medfl.partition import Partition, Value
from medfl.registry import HyperParams

class Power(HyperParams):
    power: float = 1.0
    late: float = Field(0.0, json_schema_extra=neutral(0.0))

class Algorithm(FederatedAlgorithm):
    Params = Power

class Line(Link):
    Params = Power
    stage = "clip"

class Plain(Rule):
    Params = Power
    def start(self):
        return WeightedSum()

def net(num_classes, in_channels, image_size, width=4):
    return nn.Linear(3, num_classes)

class Lead(Partition):
    value = Value("part", "0.5")
"""
NAMED = {
    "algorithm": {"algorithm": "my_parts:Algorithm"},
    "link": {"chain": {"links": {"my_parts:Line": None}}},
    "rule": {"chain": {"rule": "my_parts:Plain"}},
    "network": {"model": "my_parts:net"},
    "partition": {"partition": "my_parts:Lead-0.50"},
}


@pytest.mark.parametrize("kind", [*NAMED, "all of them"])
def test_an_own_class_left_at_its_defaults_is_one_run_before_and_after_reading(own_module, kind):
    own_module("my_parts", OWN)
    every = {**NAMED["algorithm"], **NAMED["network"], **NAMED["partition"]}
    every["chain"] = {**NAMED["link"]["chain"], **NAMED["rule"]["chain"]}
    written = FederatedConfig(**NAMED.get(kind, every))
    read = validated(written)
    assert differences(written, read) == []
    assert fingerprint(written) == fingerprint(read) == fingerprint(validated(read))
    if kind == "rule":
        assert read.chain.rule_params == {"power": 1.0, "late": 0.0}
        for params, same in (({"power": "1e0"}, True), ({"power": 2}, False)):
            other = FederatedConfig(chain={**NAMED["rule"]["chain"], "rule_params": params})
            assert (fingerprint(other) == fingerprint(written)) is same


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"weight_decay": 0.0}, {"weight_decay": -0.0}),
        ({"patch": 16}, {"patch": [16, 16]}),
        ({}, {"local_epochs": 1}),
        ({}, {"chain": {"links": {"clip": {"norm": None}}}}),
        (
            {"algorithm": "fedprox", "algorithm_params": {"mu": 0.0}},
            {"algorithm": "fedprox", "algorithm_params": {"mu": -0.0}},
        ),
        (
            {"algorithm": "fedavg", "arm": "a"},
            {"algorithm": "medfl.algorithms.fedavg:FedAvg", "arm": "a"},
        ),
    ],
)
def test_two_ways_to_write_one_run(first, second):
    assert fingerprint(FederatedConfig(**first)) == fingerprint(FederatedConfig(**second))
    assert differences(FederatedConfig(**first), FederatedConfig(**second)) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"patch": 16}, {"patch": [16, 32]}),
        ({}, {"local_epochs": 2}),
        ({}, {"local_steps": 1}),
        ({}, {"chain": {"links": {"clip": {"norm": 5.0}}}}),
    ],
)
def test_what_looks_like_one_run_and_is_two(first, second):
    assert fingerprint(FederatedConfig(**first)) != fingerprint(FederatedConfig(**second))
