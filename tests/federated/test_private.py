"""``DPFederatedLearning`` is the link, from Python."""

from __future__ import annotations

import pytest
import torch
from federations import small_store, split_of

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
    learning = DPFederatedLearning(config, {**NOISE, "views": 2})
    assert learning.config.chain.links == {"dp_image": {**NOISE, "views": 2}}
    assert learning.config.model.normalization == "group"
    with pytest.raises(MedflError, match="before `train` is called"):
        _ = learning.privacy
    history = learning.train(*data)
    assert [row["round"] for row in history] == [0, 1, 2]
    assert history[1]["epsilon"] < history[2]["epsilon"] == learning.privacy["epsilon"]
    assert learning.privacy["unit"] == "image"
    assert [one["steps"] for one in learning.clients.values()] == [6, 6]
    same = DPFederatedLearning(config, {**NOISE, "views": 2})
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
        ({**RUN, "local_steps": None, "local_epochs": 1}, NOISE, "local_steps"),
    ],
)
def test_mistakes(config, dp_config, words, data):
    with pytest.raises(MedflError) as error:
        DPFederatedLearning(config, dp_config).train(*data)
    assert words in str(error.value)
