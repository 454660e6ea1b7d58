"""``DPFederatedLearning`` is the link, from Python."""

from __future__ import annotations

import math

import pytest
import torch
from federations import small_store, split_of
from scipy.stats import norm

from medfl import DPFederatedLearning, FederatedConfig, MedflError
from medfl.store import Sample, write_store

RUN = {"num_clients": 2, "rounds": 2, "local_steps": 3, "batch_size": 4, "device": "cpu"}
NOISE = {"noise_multiplier": 1.0, "max_grad_norm": 0.5, "target_epsilon": 30.0}


@pytest.fixture
def data(tmp_path):
    memory = small_store(60, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i // 2}")
        for i, k in enumerate(memory.labels)
    ]
    store = write_store(tmp_path / "store", memory.info, samples, memory.images)
    return store, split_of(store, [12, 20])


@pytest.mark.parametrize("config", [RUN, FederatedConfig(**RUN)])
def test_it_trains_and_says_what_is_spent(config, data):
    learning = DPFederatedLearning(config, {**NOISE, "size_step": 5})
    assert learning.config.chain.links == {"dp_image": {**NOISE, "size_step": 5}}
    assert learning.config.model.normalization == "group"
    with pytest.raises(MedflError, match="before `train` is called"):
        _ = learning.privacy
    history = learning.train(*data)
    assert [row["round"] for row in history] == [0, 1, 2]
    assert history[1]["epsilon"] < history[2]["epsilon"] == learning.privacy["epsilon"]
    assert learning.privacy["unit"] == "image"
    assert [one["steps"] for one in learning.clients.values()] == [6, 6]
    same = DPFederatedLearning(config, {**NOISE, "size_step": 5})
    same.train(*data)
    assert torch.equal(same.trainer.server.vector, learning.trainer.server.vector)


def test_units_are_named(data):
    learning = DPFederatedLearning(RUN, {**NOISE, "differential_privacy": "patient"})
    learning.train(*data)
    assert learning.privacy["unit"] == "patient"
    assert learning.clients["1"]["public_size"] == 10  # twenty images of ten patients
    assert DPFederatedLearning(RUN, {"differential_privacy": False}).config.chain.links == {}


@pytest.mark.parametrize(
    ("config", "dp_config", "words"),
    [
        (RUN, {"noise": 1.0}, "unknown key `noise`"),
        (RUN, {**NOISE, "target_epsilon": 0}, "greater than 0"),
        (RUN, {"differential_privacy": "person"}, "image, patient or hospital"),
        ({**RUN, "normalization": "batch"}, NOISE, "batch norm mixes"),
        ({**RUN, "chain": {"links": {"dp_image": NOISE}}}, NOISE, "has the link dp_image already"),
        ({**RUN, "privacy": {"differential_privacy": True}}, NOISE, "both set the link dp_image"),
        (
            FederatedConfig(**RUN, privacy={"differential_privacy": True, "noise_multiplier": 1}),
            NOISE,
            "has the link dp_image already",
        ),
        (
            {**RUN, "privacy": {"differential_privacy": "patient", "noise_multiplier": 1}},
            NOISE,
            "dp_image and dp_patient protect different units",
        ),
        ({**RUN, "local_steps": None, "local_epochs": 1}, NOISE, "local_steps"),
        ({**RUN, "algorithm": "local"}, NOISE, "exchanges nothing"),
        (RUN, {}, "needs noise_multiplier, or a target_epsilon"),
        (RUN, ["noise_multiplier"], "dp_config is ['noise_multiplier']: it must be a dictionary"),
        ("run.yaml", NOISE, "the run is 'run.yaml': it must be a dictionary"),
    ],
)
def test_mistakes_are_refused_before_training(config, dp_config, words):
    with pytest.raises(MedflError) as error:
        DPFederatedLearning(config, dp_config)
    assert words in str(error.value)


def test_hospitals_are_named_one_by_one(data):
    """ε of two Gaussian sums of noise 2 with everyone in both: μ = √2/2, by the exact formula."""
    config = {**RUN, "weighting": "uniform", "normalization": "group"}
    given = {"noise_multiplier": 2.0, "differential_privacy": "hospital", "max_noise_ratio": 1e9}
    learning = DPFederatedLearning(config, given)
    learning.train(*data)
    assert learning.clients.keys() == {"0", "1"}
    for one in learning.clients.values():
        mu, epsilon = 2**0.5 / 2, one["epsilon"]
        tail, other = norm.cdf(-epsilon / mu + mu / 2), norm.cdf(-epsilon / mu - mu / 2)
        assert tail - math.exp(epsilon) * other == pytest.approx(1e-5, rel=1e-6)
        assert one["spent_from_round"] is None


def test_a_hospital_whose_budget_is_spent_is_named(data):
    """One such sum has ε 1.993, two 2.943 (by the formula above): one round is within 2.5."""
    config = {**RUN, "weighting": "uniform", "normalization": "group"}
    given = {"noise_multiplier": 2.0, "target_epsilon": 2.5, "max_noise_ratio": 1e9}
    learning = DPFederatedLearning(config, {**given, "differential_privacy": "hospital"})
    history = learning.train(*data)
    assert [row["participants"] for row in history] == [0, 2, 0]
    assert [one["spent_from_round"] for one in learning.clients.values()] == [2, 2]


def test_without_a_mechanism_nothing_is_promised(data):
    learning = DPFederatedLearning(RUN, {"differential_privacy": False})
    learning.train(*data)
    promise = {"unit": None, "mechanism": "none", "epsilon": None, "delta": None}
    assert learning.privacy == promise
    assert learning.clients == {}


@pytest.mark.parametrize("as_object", [True, False])
def test_what_protects_the_run_already_stays(as_object):
    """The section of a validated run lies in its chain, as no default of it."""
    given = {**RUN, "num_clients": 5, "privacy": {"secure_aggregation": {"colluding": 1}}}
    config = FederatedConfig(**given) if as_object else given
    links = DPFederatedLearning(config, NOISE).config.chain.links
    assert links == {"secure_aggregation": {"colluding": 1}, "dp_image": NOISE}
    masked = {**NOISE, "secure_aggregation": {"colluding": 1}}
    assert DPFederatedLearning({**RUN, "num_clients": 5}, masked).config.chain.links == links
