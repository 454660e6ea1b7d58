from __future__ import annotations

import zipfile

import numpy as np
import pytest
import torch
from attack_federations import federate_small

from medfl.config.attack import NOISE
from medfl.errors import MedflError
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


@pytest.mark.parametrize("change", ["drop", "shape", "name", "value"])
def test_a_part_with_other_arrays_is_made_again(tmp_path, change):
    """One without its `psnr` would say that the server has seen nothing."""
    parts, path = KeptParts(tmp_path, {}), tmp_path / "x.npz"
    parts.get("x", lambda: {"a": np.zeros((2, 3)), "psnr": np.array([20.0])})
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    if change == "drop":
        del arrays["psnr"]
    elif change == "shape":
        arrays["a"] = arrays["a"].reshape(3, 2)
    elif change == "name":
        arrays["b"] = arrays.pop("a")
    else:
        arrays["psnr"] = np.array([30.0])
    np.savez(path, **arrays)
    assert parts.get("x", lambda: {"a": np.ones(3)})["a"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["npy", "header", "text"])
def test_what_is_no_part_is_made_anew(tmp_path, kind):
    parts, path = KeptParts(tmp_path, {}), tmp_path / "x.npz"
    parts.get("x", lambda: {"a": np.zeros(1000)})
    if kind == "npy":  # NumPy gives an array for it, and no archive
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "header":
        content = {"key.npy": b"\x93NUMPY\x01\x00\x03\x00{[\n", "a.npy": b""}
        with zipfile.ZipFile(path, "w") as archive:
            for name, bytes_ in content.items():
                archive.writestr(name, bytes_)
    else:
        path.write_text("a,b\n")
    assert parts.get("x", lambda: {"a": np.ones(3)})["a"].tolist() == [1, 1, 1]


def test_a_folder_in_a_parts_place_is_refused_before_any_work(tmp_path):
    (tmp_path / "x.npz").mkdir()
    with pytest.raises(MedflError, match=r"x.npz is a folder, where a file of the attack lies"):
        KeptParts(tmp_path, {}).get("x", lambda: pytest.fail("it was made"))


def test_memory_that_ends_while_a_part_is_read_is_no_damage(tmp_path, monkeypatch):
    parts = KeptParts(tmp_path, {})
    parts.get("x", lambda: {"a": np.zeros(3)})

    class EndedError(MemoryError):
        _total_size = 10  # bytes: NumPy says how much it asked for

    def load(*_, **__):
        raise EndedError

    monkeypatch.setattr(np, "load", load)
    with pytest.raises(MemoryError):
        parts.get("x", lambda: pytest.fail("it was made again"))


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
