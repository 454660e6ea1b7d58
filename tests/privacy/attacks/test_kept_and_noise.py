from __future__ import annotations

import numpy as np
import pytest
import torch
from attack_federations import federate_small

from medfl.config.attack import NOISE
from medfl.privacy.attacks.kept import KeptParts


def test_a_part_is_made_once_for_its_settings(tmp_path):
    made = []

    def make(value):
        def inner():
            made.append(value)
            return {"a": np.array([value, 2.0])}

        return inner

    for value in (1.0, 5.0):
        assert KeptParts(tmp_path, {"seed": 0}).get("x", make(value))["a"].tolist() == [1.0, 2.0]
    assert made == [1.0]
    assert KeptParts(tmp_path, {"seed": 1}).get("x", make(7.0))["a"].tolist() == [7.0, 2.0]


@pytest.mark.parametrize("left", [0, 10, 600, -30])
def test_a_damaged_part_is_made_again(tmp_path, left):
    parts, path = KeptParts(tmp_path, {}), tmp_path / "x.npz"
    parts.get("x", lambda: {"a": np.zeros(1000)})
    path.write_bytes(path.read_bytes()[:left])
    assert parts.get("x", lambda: {"a": np.ones(3)})["a"].tolist() == [1, 1, 1]


def test_a_part_whose_bytes_have_changed_is_made_again(tmp_path):
    parts, path = KeptParts(tmp_path, {}), tmp_path / "x.npz"
    parts.get("x", lambda: {"a": np.zeros(1000)})
    whole = bytearray(path.read_bytes())
    whole[4000] ^= 1  # amid the zeros: the archive's checksum notices
    path.write_bytes(whole)
    assert parts.get("x", lambda: {"a": np.ones(3)})["a"].tolist() == [1, 1, 1]


def test_the_noise_is_as_long_as_it_says_and_comes_from_its_own_stream():
    plain, *_ = federate_small({}, "mlp", 2)
    noisy, *_ = federate_small({NOISE: {"ratio": 0.5}}, "mlp", 2)
    again, *_ = federate_small({NOISE: {"ratio": 0.5}}, "mlp", 2)
    for client, model in plain.seen.models.items():
        noise = noisy.seen.models[client] - model
        ratio = float(noise.norm() / (model - plain.seen.before).norm())
        # 4,485 entries: their length is known to 1/√(2·4485), about 1 %.
        assert ratio == pytest.approx(0.5, rel=0.05)
        assert torch.equal(noisy.seen.models[client], again.seen.models[client])
    ours = [noisy.seen.models[k] - plain.seen.models[k] for k in (0, 1)]
    assert abs(float(torch.cosine_similarity(ours[0], ours[1], dim=0))) < 0.1


def test_noise_of_ratio_zero_stays_out_of_the_chain():
    federation, *_ = federate_small({NOISE: {"ratio": 0.0}}, "mlp", 2)
    assert [link.name for link in federation.server.chain.links] == ["observer"]


def test_batch_norm_statistics_get_no_noise():
    plain, *_ = federate_small({}, "cnn", 4)
    noisy, *_ = federate_small({NOISE: {"ratio": 0.5}}, "cnn", 4)
    assert torch.equal(plain.seen.statistics[0], noisy.seen.statistics[0])
