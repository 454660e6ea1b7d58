"""A run's folder: resumed, kept, refused, and never half written."""

from __future__ import annotations

import errno
import json
import os

import pytest
from federations import small_store, split_of

from medfl.config import FederatedConfig
from medfl.data.store import Sample, write_store
from medfl.errors import MedflError
from medfl.federated import checkpoint
from medfl.federated import trainer as trainer_module
from medfl.federated.run import OUTPUTS, execute


@pytest.fixture
def place(tmp_path):
    memory = small_store(60, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i}") for i, k in enumerate(memory.labels)
    ]
    store = write_store(tmp_path / "store", memory.info, samples, memory.images)
    (tmp_path / "iid").mkdir()
    split_of(store, [12, 16, 8]).write(tmp_path / "iid" / "seed0.csv")
    return tmp_path


def run(place, folder="run", overwrite=False, **settings):
    settings = {"rounds": 2, "model": "logistic", "num_clients": 3, "device": "cpu", **settings}
    config = FederatedConfig(dataset="test", partition="iid", **settings)
    split = place / "iid" / "seed0.csv"
    return execute(config, place / "store", split, place / folder, overwrite=overwrite)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_and_its_record(place):
    metrics = run(place)
    assert names(place / "run") == sorted([*OUTPUTS, "run.log"])
    assert json.loads((place / "run" / "metrics.json").read_text()) == metrics
    config = FederatedConfig.read(place / "run" / "config.yaml")
    assert config.fingerprint() == metrics["provenance"]["config_sha256"]
    log = (place / "run" / "run.log").read_text()
    assert "round    2/2" in log
    for key in ("code_sha", "store_fingerprint", "split_sha256", "torch", "started"):
        assert metrics["provenance"][key]


def test_a_complete_run_is_not_done_again(place):
    first = run(place)
    stamp = (place / "run" / "model.safetensors").stat().st_mtime_ns
    assert run(place) == first
    assert run(place, overwrite=True, threads=2) == first
    assert (place / "run" / "model.safetensors").stat().st_mtime_ns == stamp


def test_another_configuration_is_refused(place):
    run(place)
    before = {path.name: path.read_bytes() for path in (place / "run").iterdir()}
    with pytest.raises(MedflError, match="another configuration") as error:
        run(place, rounds=3, learning_rate=0.2)
    assert "federated_learning.rounds: 2, now 3" in str(error.value)
    assert "training.learning_rate: 0.05, now 0.2" in str(error.value)
    assert "batch_size" not in str(error.value)
    assert {path.name: path.read_bytes() for path in (place / "run").iterdir()} == before
    assert run(place, rounds=3, learning_rate=0.2, overwrite=True)["rounds"] == 3


def test_the_same_configuration_on_another_split_is_refused(place):
    first = run(place)
    store = small_store(60, size=8)
    split_of(store, [8, 8, 20]).write(place / "iid" / "seed0.csv")
    with pytest.raises(MedflError, match=r"other code or data \(split_sha256\)"):
        run(place)
    again = run(place, overwrite=True)
    assert again["provenance"]["split_sha256"] != first["provenance"]["split_sha256"]
    assert again["clients"]["2"]["n_train"] == 20


def test_files_of_somebody_else_are_refused(place):
    (place / "run").mkdir()
    (place / "run" / "thesis.csv").write_text("a,b\n")
    with pytest.raises(MedflError, match="choose another folder"):
        run(place)
    assert names(place / "run") == ["thesis.csv"]


def test_a_missing_split_or_store(place):
    os.rename(place / "iid" / "seed0.csv", place / "elsewhere.csv")
    with pytest.raises(MedflError, match=r"seed0.csv does not exist: make it with `medfl split`"):
        run(place)
    os.rename(place / "store", place / "other")
    with pytest.raises(MedflError, match="store"):
        run(place)
    assert not (place / "run").exists(), "nothing is begun"


@pytest.mark.parametrize("full_at", [*OUTPUTS, checkpoint.NAME])
def test_no_space_left(place, full_at, monkeypatch):
    original = os.replace
    monkeypatch.setattr(trainer_module, "CHECKPOINT_SECONDS", 0)

    def replace(source, target):
        if os.path.basename(target) == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(MedflError, match=f"no space left while writing .*{full_at}"):
            run(place)
    there = names(place / "run")
    assert full_at not in there
    assert "metrics.json" not in there, "an unfinished run does not look finished"
    assert not [name for name in there if name.startswith(".")], "and leaves nothing behind"
    assert run(place)["status"] == "completed"
    assert names(place / "run") == sorted([*OUTPUTS, "run.log"])


def test_a_full_disk_while_torch_writes(tmp_path, monkeypatch):
    """The error comes from inside torch.save, which has a RuntimeError of its own for it."""

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.file, name)

    original = checkpoint.torch.save
    monkeypatch.setattr(checkpoint.torch, "save", lambda state, file: original(state, Full(file)))
    import torch

    with pytest.raises(MedflError, match="no space left"):
        checkpoint.save(tmp_path, {"x": torch.zeros(1000)})
    assert names(tmp_path) == []
